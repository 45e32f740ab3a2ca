/** Puts another page's <main> in place of this one's, with its title and its behaviours. */
import { connectAll, disconnectAll } from "./app.js";

/** @param page a parsed Document @returns {Element} the new <main> */
export function swapMain(page) {
  const old = document.querySelector("main");
  const next = document.adoptNode(page.querySelector("main"));
  disconnectAll(old);
  old.replaceWith(next);
  document.title = page.title;
  connectAll(next);
  return next;
}
