/**
 * Who is here, one entry a person, and who is typing.
 *
 * <ul data-part="people"> <li data-person="3"> <span data-part="name">, you, visitor, moderator
 * <template data-part="person">  <span data-part="total">  <p data-part="others">
 * <p data-part="typing">
 */
import { clone, partsOf, setLine, setText } from "../dom.js";

const SHOWN = 100; // people in the list
const TYPING = 4000; // ms after which somebody is not typing any more
const collator = new Intl.Collator();

/** Who is typing, in words. */
export function typing(names) {
  if (names.length > 2) return "Several people are typing…";
  if (!names.length) return "";
  return `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} typing…`;
}

export class People {
  #part;
  #typing = new Map();
  #timer = null;
  me = null;

  constructor(root) {
    this.#part = partsOf(root);
  }

  show(people) {
    const total = people.length;
    people.sort((one, other) => collator.compare(one.name, other.name));
    this.#part("people").replaceChildren(...people.slice(0, SHOWN).map((one) => this.#item(one)));
    setText(this.#part("total"), total.toLocaleString("en"));
    const others = total - SHOWN;
    setLine(this.#part("others"), others > 0 ? `and ${others.toLocaleString("en")} more` : "");
  }

  types(person) {
    if (person.id === this.me?.id) return;
    this.#typing.set(person.id, { name: person.name, until: performance.now() + TYPING });
    this.#showTyping();
  }

  /** Ends a person's typing: their message has arrived. */
  said(id) {
    if (this.#typing.delete(id)) this.#showTyping();
  }

  stop() {
    clearTimeout(this.#timer);
  }

  #item(person) {
    const item = clone(this.#part("person"));
    const part = partsOf(item);
    item.dataset.person = person.id;
    setText(part("name"), person.name);
    part("you").hidden = person.id !== this.me?.id;
    part("visitor").hidden = !person.guest;
    part("moderator").hidden = !person.moderator;
    return item;
  }

  #showTyping() {
    clearTimeout(this.#timer);
    const now = performance.now();
    for (const [id, { until }] of this.#typing) if (until <= now) this.#typing.delete(id);
    const names = [...this.#typing.values()].map(({ name }) => name);
    setText(this.#part("typing"), typing(names));
    if (names.length) this.#timer = setTimeout(() => this.#showTyping(), 500);
  }
}
