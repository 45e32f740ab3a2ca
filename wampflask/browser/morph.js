/**
 * Changes a part of the page into new HTML, and leaves alone what the reader is at: focus, caret, selection, scroll, typed text, open
 * <details>, and whatever has data-keep (a playing video). Elements with the same id or data-key are the same element.
 */

const identity = (node) => node.getAttribute?.("id") || node.dataset?.key || (node.localName === "live-fragment" && node.getAttribute("key")) || "";
const isSame = (old, fresh) => old.nodeName === fresh.nodeName && identity(old) === identity(fresh);

/** @param {string} html  @returns {DocumentFragment} nothing in it runs or loads yet */
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/**
 * Makes `nodes` the children of `parent`. One that is a child already stays as it is; any other lends its content to the child it
 * corresponds to, if there is one.
 * @param {Element} parent  @param {Node[]} nodes
 */
export function morphChildren(parent, nodes) {
  const wanted = new Set(nodes);
  const old = [...parent.childNodes].filter((node) => !wanted.has(node));
  const keyed = new Map(old.filter(identity).map((node) => [`${node.nodeName} ${identity(node)}`, node]));
  const plain = old.filter((node) => !identity(node));
  const order = nodes.map((fresh) => {
    if (fresh.parentNode === parent) return fresh;
    const at = identity(fresh) ? -1 : plain.findIndex((node) => isSame(node, fresh));
    const match = at < 0 ? keyed.get(`${fresh.nodeName} ${identity(fresh)}`) : plain.splice(at, 1)[0];
    if (!match) return fresh;
    keyed.delete(`${fresh.nodeName} ${identity(fresh)}`);
    morphNode(match, fresh);
    return match;
  });
  const kept = new Set(order);
  for (const node of old) if (!kept.has(node)) node.remove();
  arrange(parent, order);
}

/** The child that must not be moved: a browser without moveBefore() would take its focus, or stop its video. */
const anchor = (parent) => [...parent.children].find((child) => child.contains(document.activeElement))
  ?? [...parent.children].find((child) => child.matches("[data-keep]") || child.querySelector("[data-keep]"));

function arrange(parent, order) {
  const fixed = anchor(parent);
  let next = parent.firstChild;
  for (const node of order) {
    while (node === fixed && next !== fixed) { // what stands before it comes later
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
  } else if (!old.matches("[data-keep], live-fragment") && !(old.isContentEditable && old.contains(document.activeElement))) {
    const typed = reads(old);
    morphAttributes(old, fresh);
    if (old.localName === "textarea") old.defaultValue = fresh.defaultValue;
    else if (old.localName === "template") old.content.replaceChildren(fresh.content);
    else morphChildren(old, [...fresh.childNodes]);
    if (typed) restore(old, fresh, typed);
  }
}

/** What the reader opened or closed stays so. */
const KEPT = { DETAILS: "open", DIALOG: "open" };

function morphAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && KEPT[old.nodeName] !== name) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value && KEPT[old.nodeName] !== name) old.setAttribute(name, value);
}

const chosen = (select) => [...select.selectedOptions].map((option) => option.value);

/** How a field stands: a browser changes what it shows with its attributes only until somebody has touched it. */
function reads(field) {
  const { localName, type, selectionStart, selectionEnd } = field;
  if (localName === "select") return { name: "chosen", value: chosen(field), isTouched: String(chosen(field)) !== String(chosen(field.cloneNode(true))) };
  if (localName !== "textarea" && (localName !== "input" || type === "file")) return null;
  const name = type === "checkbox" || type === "radio" ? "checked" : "value";
  const untouched = name === "checked" ? field.defaultChecked : field.defaultValue;
  return { name, value: field[name], isTouched: field[name] !== untouched, selectionStart, selectionEnd };
}

function restore(old, fresh, { name, value, isTouched, selectionStart, selectionEnd }) {
  if (name === "chosen") {
    const want = isTouched ? value : chosen(fresh);
    if (String(chosen(old)) === String(want) || !want.every((one) => [...old.options].some((option) => option.value === one))) return;
    for (const option of old.options) option.selected = want.includes(option.value);
    return;
  }
  const want = isTouched ? value : fresh[name];
  if (old[name] !== want) old[name] = want;
  if (selectionStart != null && old === document.activeElement && old.selectionStart !== selectionStart) old.setSelectionRange(selectionStart, selectionEnd);
}
