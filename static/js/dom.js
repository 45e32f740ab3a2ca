/**
 * How behaviours reach into the page. The whole dialect:
 *
 *   data-behaviour="polls/ballot"   what app.js starts on an element
 *   data-part="text"                an element inside, which the behaviour reads or fills
 *   data-act="delete"               a button inside, which does that with the item it stands in
 *   data-question="12", …           values: ids, states, addresses
 */

/** @returns {(name: string) => Element | null} finds a part of `root` */
export const partsOf = (root) => (name) => root.querySelector(`[data-part="${name}"]`);

/** @returns {Element} a new copy of the one element that a <template> holds */
export const clone = (template) => template.content.firstElementChild.cloneNode(true);

/** Touches the page only when the text is another, so that a selection stays. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows a line that has a text, and hides one that has none. */
export function setLine(element, text) {
  setText(element, text);
  element.hidden = !text;
}

/**
 * Makes `rows` the children of `list`, in this order, and moves only those that stand elsewhere.
 */
export function arrange(list, rows) {
  const kept = new Set(rows);
  for (const row of [...list.children]) if (!kept.has(row)) row.remove();
  let place = list.firstElementChild;
  for (const row of rows) {
    if (row === place) place = place.nextElementSibling;
    else list.insertBefore(row, place);
  }
}
