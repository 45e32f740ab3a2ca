/**
 * Keeps the list of polls true: response counts, states and wording. The page itself, fetched again, is the snapshot, so that one
 * request tells everything, polls included that are new.
 *
 * <ul data-behaviour="polls/list">, or the box that stands there while there is no poll
 *   <li data-question="12" data-version="3" data-voters="8"> <a data-poll="text"> <span data-poll="state">
 *     <strong data-poll="total" id="responses-count-12"> <span data-poll="noun"> </li>
 * </ul>
 */
import { live } from "wampflask";
import { swapMain } from "../swap.js";
import { setText } from "./bars.js";
import { drawState, drawTally } from "./figures.js";

const cards = (root) => [...root.querySelectorAll("[data-question]")];
const part = (card, name) => card.querySelector(`[data-poll="${name}"]`);

function read(card) {
  const { question, version, voters } = card.dataset;
  const open = part(card, "state").classList.contains("badge--open");
  return { question_id: Number(question), version: Number(version), voters: Number(voters), open, text: part(card, "text").textContent };
}

const byQuestion = (states) => Object.fromEntries(states.map((state) => [state.question_id, state]));

async function fetchStates(list) {
  const answer = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector('[data-behaviour="polls/list"]');
  const ids = (root) => cards(root).map((card) => card.dataset.question).join();
  if (fresh && ids(fresh) === ids(list)) return byQuestion(cards(fresh).map(read));
  swapMain(page); // other polls than before: a new list, with its own behaviour
  return {};
}

export function connect(list) {
  const byId = new Map(cards(list).map((card) => [Number(card.dataset.question), card]));
  const topics = ["polls.question.asked", ...[...byId.keys()].map((id) => `polls.question.update.${id}`)];

  const draw = (state) => {
    const card = byId.get(state.question_id);
    if (!card) return void fetchStates(list); // a new poll
    drawState(part(card, "state"), state);
    if (state.deleted) return void card.classList.add("poll-card--gone");
    setText(part(card, "text"), state.text);
    drawTally(card, state);
  };
  const following = live(topics, (rows, { changed }) => changed.forEach((id) => draw(rows.get(id))), {
    kind: "rows",
    ask: async () => ({ state: await fetchStates(list) }),
    unpack: ([state]) => ({ state: { rows: byQuestion([state]) } }),
    version: (state) => state.version,
  });
  return () => following.stop();
}
