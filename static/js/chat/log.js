/**
 * Keeps the messages on the page: ordered by id, each once, in its newest version. Longer than
 * other modules, since where a message goes decides whether the page scrolls with it.
 *
 * <ol data-part="log"> <li data-message="12" data-version="15" data-person="3"> … </li> </ol>
 * <template data-part="message">
 */
import { clone, partsOf, setText } from "../dom.js";
import { setTime } from "../times.js";
import { write } from "./links.js";

const NEAR = 80; // px from the end that count as the end

export class Log extends EventTarget {
  #list;
  #template;
  #box;
  #items = new Map();
  #more;

  /** @param more whether there are older messages than those on the page */
  constructor(root, more) {
    super();
    const part = partsOf(root);
    this.#list = part("log");
    this.#template = part("message");
    this.#box = part("scroll");
    this.#more = more;
    for (const item of this.#list.children) this.#items.set(Number(item.dataset.message), item);
    this.toEnd();
  }

  get first() {
    return Number(this.#list.firstElementChild?.dataset.message ?? 0);
  }
  get last() {
    return Number(this.#list.lastElementChild?.dataset.message ?? 0);
  }
  get more() {
    return this.#more;
  }
  get items() {
    return this.#items.values();
  }
  get atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    return scrollHeight - scrollTop - clientHeight < NEAR;
  }

  toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  /**
   * Shows a message; one that is older than what the page has is left for scrolling up. Fires
   * "message" for new ones at the end.
   */
  put(message) {
    const known = this.#items.get(message.id);
    if (known) return void this.#redraw(known, message);
    if (this.#more && message.id < this.first) return;
    const follow = this.atEnd;
    const isLast = message.id > this.last;
    this.#insert(message);
    if (follow) this.toEnd();
    if (isLast) this.dispatchEvent(new CustomEvent("message", { detail: { message, follow } }));
  }

  /** Puts older messages on top; what is read stays where it is. */
  prepend({ messages, more }) {
    const below = this.#box.scrollHeight - this.#box.scrollTop;
    this.#more = more;
    for (const message of messages) if (!this.#items.has(message.id)) this.#insert(message);
    this.#box.scrollTop = this.#box.scrollHeight - below;
  }

  #insert(message) {
    const item = clone(this.#template);
    this.#draw(item, message);
    let after = this.#list.lastElementChild;
    while (after && Number(after.dataset.message) > message.id)
      after = after.previousElementSibling;
    if (after) after.after(item);
    else this.#list.prepend(item);
    this.#items.set(message.id, item);
  }

  #redraw(item, message) {
    if (Number(item.dataset.version) >= message.version) return;
    this.#draw(item, message);
  }

  #draw(item, message) {
    const part = partsOf(item);
    const { id, version, person } = message;
    Object.assign(item.dataset, { message: id, version, person });
    item.classList.toggle("msg--deleted", message.deleted);
    setText(part("name"), message.name);
    part("visitor").hidden = !message.guest;
    part("edited").hidden = !message.edited || message.deleted;
    setTime(item.querySelector("time"), new Date(message.at * 1000));
    if (message.deleted) setText(part("text"), "This message was deleted.");
    else write(part("text"), message.text);
    this.dispatchEvent(new CustomEvent("drawn", { detail: item }));
  }
}
