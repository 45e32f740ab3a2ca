/** The small figures of a poll, wherever they stand: its state, and how many have answered. */
import { setText } from "./bars.js";
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

/** <strong data-poll="total">12</strong> <span data-poll="noun">responses</span>, somewhere in `root` */
export function drawTally(root, { voters }) {
  const total = root.querySelector('[data-poll="total"]');
  const text = voters.toLocaleString("en");
  if (total.textContent !== text) pulse(total);
  setText(total, text);
  setText(root.querySelector('[data-poll="noun"]'), voters === 1 ? "response" : "responses");
}
