/**
 * Tells when live updates are lost and when they are back. Silent while a page loads: a first connect gets some seconds' grace.
 *
 * <div class="connection" data-behaviour="connection_bar" role="status"></div>   empty, or one sentence; data-state says lost|back
 */
import { connection } from "./wamp/index.js";

const GRACE = { first: 4000, lost: 700, back: 4000 }; // milliseconds

export function connect(bar) {
  let timer = null;
  let joined = false;
  const show = (state, text) => {
    bar.dataset.state = state;
    bar.textContent = text;
  };
  const later = (ms, action) => {
    clearTimeout(timer);
    timer = setTimeout(() => { timer = null; action(); }, ms);
  };
  const change = () => {
    document.documentElement.dataset.connection = connection.state;
    const told = bar.dataset.state === "lost";
    if (connection.state === "ready") {
      joined = true;
      clearTimeout(timer);
      timer = null;
      if (!told) return;
      show("back", "Back online. Everything you see is up to date.");
      later(GRACE.back, () => show("", ""));
    } else if (connection.state === "idle") {
      clearTimeout(timer);
      timer = null;
    } else if (!told && !timer) {
      later(joined ? GRACE.lost : GRACE.first, () => show("lost", "Connection lost. Trying to reconnect…"));
    } else if (bar.dataset.state === "back") {
      later(GRACE.lost, () => show("lost", "Connection lost. Trying to reconnect…"));
    }
  };
  const fail = () => show("lost", "Live updates stopped. Reload the page.");
  connection.addEventListener("change", change);
  connection.addEventListener("failure", fail);
  change();
  return () => {
    clearTimeout(timer);
    connection.removeEventListener("failure", fail);
    connection.removeEventListener("change", change);
  };
}
