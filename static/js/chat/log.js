/**
 * The messages on the page, ordered by id, each once, in its newest version.
 *
 * <ol data-chat="log"> <li data-message="12" data-version="15" data-person="3"> … </li> </ol>  <template data-chat="message">
 */
import { write } from "./links.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** Today's messages have a time, older ones a day too. */
export function when(date) {
  return (date.toDateString() === new Date().toDateString() ? clock : calendar).format(date);
}

export class Log extends EventTarget {
  #list;
  #template;
  #box;
  #items = new Map();
  #more;

  /** @param more whether there are older messages than those on the page */
  constructor(root, more) {
    super();
    this.#list = root.querySelector('[data-chat="log"]');
    this.#template = root.querySelector('template[data-chat="message"]');
    this.#box = root.querySelector('[data-chat="scroll"]');
    this.#more = more;
    for (const item of this.#list.children) {
      this.#items.set(Number(item.dataset.message), item);
      const time = item.querySelector("time");
      time.textContent = when(new Date(time.dateTime));
    }
    this.toEnd();
  }

  get first() { return Number(this.#list.firstElementChild?.dataset.message ?? 0); }
  get last() { return Number(this.#list.lastElementChild?.dataset.message ?? 0); }
  get more() { return this.#more; }
  get items() { return this.#items.values(); }
  get atEnd() { return this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < 80; }

  toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  /** Shows a message; one that is older than what the page has is left for scrolling up. Fires "message" for new ones at the end. */
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
    messages.forEach((message) => (this.#items.has(message.id) ? null : this.#insert(message)));
    this.#box.scrollTop = this.#box.scrollHeight - below;
  }

  #insert(message) {
    const item = this.#template.content.firstElementChild.cloneNode(true);
    this.#draw(item, message);
    let after = this.#list.lastElementChild;
    while (after && Number(after.dataset.message) > message.id) after = after.previousElementSibling;
    if (after) after.after(item);
    else this.#list.prepend(item);
    this.#items.set(message.id, item);
  }

  #redraw(item, message) {
    if (Number(item.dataset.version) >= message.version) return;
    this.#draw(item, message);
  }

  #draw(item, message) {
    const part = (name) => item.querySelector(`[data-message-part="${name}"]`);
    Object.assign(item.dataset, { message: message.id, version: message.version, person: message.person });
    item.classList.toggle("msg--deleted", message.deleted);
    part("name").textContent = message.name;
    part("guest").hidden = !message.guest;
    part("edited").hidden = !message.edited || message.deleted;
    const time = item.querySelector("time");
    const at = new Date(message.at * 1000);
    time.dateTime = at.toISOString();
    time.textContent = when(at);
    time.title = at.toLocaleString();
    if (message.deleted) part("text").textContent = "This message was deleted.";
    else write(part("text"), message.text);
    this.dispatchEvent(new CustomEvent("drawn", { detail: item }));
  }
}
