/**
 * Announces to screen readers how a poll stands: when it has changed, at most every ten seconds.
 *
 * <section data-behaviour="polls/results"> …
 *   <p class="only-read" role="status" data-behaviour="polls/announce"></p> </section>
 */
import { standing } from "./counts.js";

const EVERY = 10_000; // milliseconds

export function connect(line) {
  const poll = line.closest('[data-behaviour="polls/results"]');
  let first = true;
  let timer = null;
  let latest = null;
  const speak = () => {
    timer = null;
    line.textContent = standing(latest);
  };
  const hear = ({ detail }) => {
    latest = detail;
    if (first)
      first = false; // the page has said it already
    else timer ??= setTimeout(speak, line.textContent ? EVERY : 1000);
  };
  poll.addEventListener("poll:state", hear);
  return () => {
    clearTimeout(timer);
    poll.removeEventListener("poll:state", hear);
  };
}
