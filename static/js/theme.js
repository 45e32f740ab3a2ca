/**
 * Light or dark, as the visitor chose; without a choice, as the system is set. Loaded in <head> as
 * a classic script, so that the choice holds before the first paint.
 *
 * <button data-part="theme" hidden>…</button>   shown once it works; aria-pressed: dark is on
 */
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is forbidden: the choice lasts for this page
    }
  };
  const dark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const choose = (theme) => {
    root.dataset.theme = theme;
    try {
      localStorage.setItem("theme", theme);
    } catch {
      /* as above */
    }
  };

  const chosen = remembered();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  addEventListener("DOMContentLoaded", () => {
    const buttons = document.querySelectorAll("[data-part=theme]");
    const mark = () =>
      buttons.forEach((button) => button.setAttribute("aria-pressed", String(dark())));
    buttons.forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", () => {
        choose(dark() ? "light" : "dark");
        mark();
      });
    });
    system.addEventListener("change", mark);
    addEventListener("storage", (event) => {
      if (event.key !== "theme" || !event.newValue) return;
      root.dataset.theme = event.newValue;
      mark();
    });
    mark();
  });
})();
