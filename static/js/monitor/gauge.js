/** A bar whose length and colour show a ratio, and a host's state in words. */
import { setText } from "../dom.js";
import { utc, when } from "../times.js";

const WORDS = { online: "Online", disabled: "Disabled" };

const level = (ratio) => (ratio >= 0.9 ? "bad" : ratio >= 0.75 ? "warn" : "good");

/** <rect data-level="good|warn|bad" width="42%"> @param {number | undefined} ratio 0..1 */
export function fill(rect, ratio = 0) {
  rect.setAttribute("width", `${Math.round(ratio * 1000) / 10}%`);
  rect.dataset.level = level(ratio);
}

/** <span data-part="state"> @param {HostState} state */
export function drawState(element, { state, facts }) {
  const seen = facts.last_seen && new Date(facts.last_seen * 1000);
  const offline = seen ? `Offline, last seen ${when(seen)}` : "Offline, never seen";
  setText(element, WORDS[state] ?? offline);
  element.title = seen && state === "offline" ? utc(seen) : "";
}
