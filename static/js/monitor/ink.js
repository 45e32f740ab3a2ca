/** Colours of the style sheet for canvases: as computed now, and anew when the theme changes. */
const probe = document.createElement("span");
probe.hidden = true;
let known = new Map();
const waiting = new Set();

export function ink(name) {
  if (!known.has(name)) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(--${name})`;
    known.set(name, getComputedStyle(probe).color);
  }
  return known.get(name);
}

/** The same colour, let through by half and more: for areas. */
export const wash = (name) => ink(name).replace(/^rgb\((.*)\)$/, "rgba($1, 0.16)");

/** @returns {() => void} stop */
export function onTheme(redraw) {
  waiting.add(redraw);
  return () => waiting.delete(redraw);
}

function renew() {
  known = new Map();
  waiting.forEach((redraw) => redraw());
}
new MutationObserver(renew).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew);
