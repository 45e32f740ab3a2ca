/**
 * Copies an address.
 *
 * <button type="button" data-behaviour="copy" data-text="https://…" hidden>Copy the link</button>
 */
export function connect(button) {
  if (!navigator.clipboard) return () => {};
  const label = button.textContent;
  let timer = null;
  const copy = async () => {
    await navigator.clipboard.writeText(button.dataset.text);
    button.textContent = "Copied";
    clearTimeout(timer);
    timer = setTimeout(() => { button.textContent = label; }, 2000);
  };
  button.hidden = false;
  button.addEventListener("click", copy);
  return () => {
    clearTimeout(timer);
    button.removeEventListener("click", copy);
  };
}
