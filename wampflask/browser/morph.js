/**
 * Changes a part of the page into new HTML, and leaves alone what the reader is at: focus, caret, selection, scroll, typed text, open
 * <details>, and whatever has data-keep (a playing video). Elements with the same id or data-key are the same element.
 */

/** Nodes of the same name stand for each other: the same kind, and the same id, data-key, or key of a fragment. */
const nameOf = (node) =>
  [node.nodeName, ...["id", "data-key", "key"].map((name) => node.getAttribute?.(name))].join();

/** @param {string} html  @returns {DocumentFragment} nothing in it runs or loads yet */
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/**
 * Makes `nodes` the children of `parent`. One that is a child already stays; any other lends its content to the child it
 * corresponds to, if there is one.
 * @param {Element} parent  @param {Node[]} nodes
 */
export function morphChildren(parent, nodes) {
  const old = new Map(); // by name, those that nothing stands for yet
  for (const node of parent.childNodes)
    if (!nodes.includes(node)) old.set(nameOf(node), [...(old.get(nameOf(node)) ?? []), node]);
  const order = nodes.map((fresh) => {
    const match = fresh.parentNode !== parent && old.get(nameOf(fresh))?.shift();
    if (!match) return fresh;
    morphNode(match, fresh);
    return match;
  });
  for (const node of [...old.values()].flat()) node.remove();
  arrange(parent, order);
}

/** The child with the focus stays where it is and the others move: a browser without moveBefore() would take its focus. */
function arrange(parent, order) {
  const fixed = order.find((node) => node.contains(document.activeElement));
  let next = parent.firstChild;
  for (const node of order) {
    while (node === fixed && next !== fixed) {
      // what stands before it comes later
      const early = next;
      next = next.nextSibling;
      move(parent, early, null);
    }
    if (node === next) next = next.nextSibling;
    else move(parent, node, next);
  }
}

function move(parent, node, before) {
  if (parent.moveBefore && node.parentNode === parent) parent.moveBefore(node, before);
  else parent.insertBefore(node, before);
}

function morphNode(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
  } else if (
    !old.matches("[data-keep], live-fragment") &&
    !(old.isContentEditable && old.contains(document.activeElement))
  ) {
    const isField = old.matches("input:not([type=file]), textarea, select:not([multiple])");
    const [name, isTouched] = entered(old);
    const value = old[name];
    morphAttributes(old, fresh);
    if (old.localName === "textarea") old.defaultValue = fresh.defaultValue;
    else morphChildren(old, [...fresh.childNodes]);
    const want = isTouched ? value : fresh[name];
    if (isField && old[name] !== want) old[name] = want;
  }
}

function morphAttributes(old, fresh) {
  const isReaders = (name) => name === "open" && /^D/.test(old.nodeName); // <details>, <dialog>: opened or closed by the reader
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && !isReaders(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value && !isReaders(name)) old.setAttribute(name, value);
}

const chosen = (select) => [...select.options].map((option) => option.selected).join();

/** The property in which a field keeps what the reader enters, and whether they have: then the browser keeps it, whatever its attributes say. */
function entered(field) {
  const { localName, type } = field;
  if (localName === "select") return ["value", chosen(field) !== chosen(field.cloneNode(true))];
  if (type === "checkbox" || type === "radio")
    return ["checked", field.checked !== field.defaultChecked];
  return ["value", field.value !== field.defaultValue];
}
