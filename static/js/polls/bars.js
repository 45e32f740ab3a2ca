/**
 * Draws the choices of a poll as bars. Only what has changed is redrawn, so that widths glide and
 * the scroll position stays.
 *
 * <ol data-part="bars"> <li class="bar" data-choice="7">
 *   <span data-part="label">  <span data-part="mine" hidden>your vote</span>
 *   <span data-part="percent">42%</span>  <span data-part="votes">5 votes</span>
 *   <svg><rect data-part="fill" width="42%" height="100%"/></svg>
 * </li> … </ol>
 * <template data-part="bar"> one such <li> </template>
 */
import { arrange, clone, partsOf, setText } from "../dom.js";
import { votes } from "./counts.js";

/**
 * @param choices [{id, label, votes, percent}] in the order to show
 * @param {number[]} mine ids of the choices that this voter picked
 */
export function drawBars(list, template, choices, mine = []) {
  const known = new Map([...list.children].map((row) => [row.dataset.choice, row]));
  const rows = choices.map((choice) => known.get(String(choice.id)) ?? clone(template));
  arrange(list, rows);
  choices.forEach((choice, place) => drawBar(rows[place], choice, mine.includes(choice.id)));
}

function drawBar(row, { id, label, votes: count, percent }, mine) {
  const part = partsOf(row);
  row.dataset.choice = id;
  setText(part("label"), label);
  part("mine").hidden = !mine;
  setText(part("percent"), `${percent}%`);
  setText(part("votes"), votes(count));
  part("fill").style.width = `${percent}%`;
}
