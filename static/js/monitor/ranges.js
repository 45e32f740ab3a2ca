/** Links that choose the period of the charts, without leaving the page: <a data-range="24h"> */

/** @param {(range: string) => void} choose */
export function onRange(root, choose, signal) {
  const links = [...root.querySelectorAll("a[data-range]")];
  for (const link of links) {
    link.addEventListener(
      "click",
      (event) => {
        event.preventDefault();
        for (const one of links) one.removeAttribute("aria-current");
        link.setAttribute("aria-current", "true");
        history.replaceState(null, "", link.href);
        choose(link.dataset.range);
      },
      { signal },
    );
  }
}
