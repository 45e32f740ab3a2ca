/**
 * Light or dark, as the visitor chose; without a choice, as the system is set. The choice is kept
 * in a cookie, and the server writes it into the page, so that it holds before the first paint.
 *
 * <button data-part="theme" hidden>…</button>   shown once it works; aria-pressed: dark is on
 */
const YEAR = 31_536_000; // seconds
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const otherPages = new BroadcastChannel("theme");
const buttons = document.querySelectorAll("[data-part=theme]");

const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

function mark() {
  for (const button of buttons) button.setAttribute("aria-pressed", String(isDark()));
}

function show(theme) {
  root.dataset.theme = theme;
  mark();
}

for (const button of buttons) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.cookie = `wampflask_theme=${theme}; path=/; max-age=${YEAR}; samesite=lax`;
    otherPages.postMessage(theme);
    show(theme);
  });
}
system.addEventListener("change", mark);
otherPages.addEventListener("message", ({ data }) => show(data));
mark();
