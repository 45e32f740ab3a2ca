/**
 * Starts the behaviour of each marked element, and stops it again. Writes moments in local time.
 *
 * <div data-behaviour="polls/results">…</div>   several names, separated by spaces, are allowed
 *
 * The name is the module's path in this folder. A module exports `connect(element)`, which returns
 * a function that undoes it.
 */
import { load } from "./behaviours.js";
import "./theme.js";
import { localise } from "./times.js";

const running = new Map();

async function start(element, name) {
  if (!/^[a-z_]+(\/[a-z_]+)*$/.test(name)) return;
  const { connect } = await load(name);
  if (!element.isConnected) return;
  const stop = connect(element) ?? (() => {});
  running.set(element, [...(running.get(element) ?? []), stop]);
}

/** Starts every behaviour in `root`; an element whose behaviours all run has data-ready. */
export function connectAll(root) {
  localise(root);
  for (const element of root.querySelectorAll("[data-behaviour]")) {
    const names = element.dataset.behaviour.split(/\s+/).filter(Boolean);
    Promise.all(names.map((name) => start(element, name))).then(
      () => element.setAttribute("data-ready", ""),
      reportError,
    );
  }
}

/** Stops every behaviour in `root`: call it before removing that part of the page. */
export function disconnectAll(root) {
  for (const [element, stops] of running) {
    if (!root.contains(element)) continue;
    stops.forEach((stop) => stop());
    running.delete(element);
  }
}

document.documentElement.classList.add("js");
document.addEventListener("live-change", ({ target }) => localise(target)); // fragments
connectAll(document);
