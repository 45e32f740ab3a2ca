/**
 * Draws the choices of a poll as bars, changing only what changed, so that widths glide and a reader's place stays.
 *
 * <ol data-poll="bars"> <li class="bar" data-choice="7">
 *   <span data-bar="label">…</span> <span data-bar="mine" hidden>your vote</span> <span data-bar="percent">42%</span> <span data-bar="votes">5 votes</span>
 *   <svg><rect data-bar="fill" width="42%" height="100%"/></svg>
 * </li> … </ol>
 * <template data-poll="bar"> one such <li> </template>
 */
export const votes = (count) => (count === 1 ? "1 vote" : `${count.toLocaleString("en")} votes`);

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param choices [{id, label, votes, percent}] in the order to show  @param {number[]} mine ids of those that the reader voted for */
export function drawBars(list, template, choices, mine = []) {
  const rows = new Map([...list.children].map((row) => [row.dataset.choice, row]));
  choices.forEach((choice, place) => {
    const id = String(choice.id);
    const row = rows.get(id) ?? template.content.firstElementChild.cloneNode(true);
    rows.delete(id);
    row.dataset.choice = id;
    const part = (name) => row.querySelector(`[data-bar="${name}"]`);
    setText(part("label"), choice.label);
    part("mine").hidden = !mine.includes(choice.id);
    setText(part("percent"), `${choice.percent}%`);
    setText(part("votes"), votes(choice.votes));
    if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
    part("fill").style.width = `${choice.percent}%`;
  });
  rows.forEach((row) => row.remove());
}
