/** The small figures of a poll, wherever they stand: its state, and how many people voted. */
import { partsOf, setText } from "../dom.js";
import { pulse } from "./pulse.js";

/** <span class="badge badge--open">Open</span>, closed, or deleted */
export function drawState(badge, { open, deleted }) {
  setText(badge, deleted ? "Deleted" : open ? "Open" : "Closed");
  badge.classList.toggle("badge--open", Boolean(open));
  badge.classList.toggle("badge--closed", !open);
}

const LONG = 90; // characters from which a question is set smaller, as in the templates

/** <h1>, the question */
export function drawQuestion(heading, text) {
  setText(heading, text);
  heading.classList.toggle("is-long", text.length > LONG);
}

/**
 * <strong data-part="total">12</strong> <span data-part="noun">voters</span>, somewhere in `root`
 */
export function drawTally(root, { voters }) {
  const part = partsOf(root);
  const total = part("total");
  const text = voters.toLocaleString("en");
  if (total.textContent !== text) pulse(total);
  setText(total, text);
  setText(part("noun"), voters === 1 ? "voter" : "voters");
}
