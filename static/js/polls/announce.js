/**
 * Tells a screen reader how a poll stands: once when it has changed, and no more often than every ten seconds.
 *
 * <section data-question="12"> … <p class="only-read" role="status" data-behaviour="polls/announce"></p> </section>
 */
import { votes } from "./bars.js";

const EVERY = 10_000; // milliseconds
const list = new Intl.ListFormat("en");
const responses = (count) => (count === 1 ? "1 response" : `${count.toLocaleString("en")} responses`);

function sentence({ open, voters, hidden, deleted, choices }) {
  if (deleted) return "This poll was deleted.";
  const start = `${responses(voters)}${open ? "" : ", closed"}.`;
  if (hidden || !voters) return start;
  const most = Math.max(...choices.map((choice) => choice.votes));
  const [leader, ...level] = choices.filter((choice) => choice.votes === most);
  if (level.length) return `${start} ${list.format([leader, ...level].map(({ label }) => label))} lead with ${votes(most)} each.`;
  return `${start} ${leader.label} leads with ${leader.percent}%.`;
}

export function connect(line) {
  const poll = line.closest("[data-question]");
  let first = true;
  let timer = null;
  let latest = null;
  const speak = () => {
    timer = null;
    line.textContent = sentence(latest);
  };
  const hear = ({ detail }) => {
    latest = detail;
    if (first) first = false; // the page has said it already
    else timer ??= setTimeout(speak, line.textContent ? EVERY : 1000);
  };
  poll.addEventListener("poll:state", hear);
  return () => {
    clearTimeout(timer);
    poll.removeEventListener("poll:state", hear);
  };
}
