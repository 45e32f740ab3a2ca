/**
 * Who is here, one entry a person, and who is typing.
 *
 * <ul data-chat="people"> <li data-person="3"><span data-person-part="name">, <template data-chat="person">, <span data-chat="total">,
 * <p data-chat="typing">
 */
const SHOWN = 100; // people in the list
const TYPING = 4000; // ms after which somebody is not typing any more
const collator = new Intl.Collator();
const part = (root, name) => root.querySelector(`[data-chat="${name}"]`);

export class People {
  #root;
  #typing = new Map();
  #timer = null;
  me = null;

  constructor(root) {
    this.#root = root;
  }

  show(people) {
    const template = this.#root.querySelector('template[data-chat="person"]');
    const total = people.length;
    const listed = people.sort((one, other) => collator.compare(one.name, other.name)).slice(0, SHOWN);
    part(this.#root, "people").replaceChildren(...listed.map((person) => {
      const item = template.content.firstElementChild.cloneNode(true);
      item.dataset.person = person.id;
      item.querySelector('[data-person-part="name"]').textContent = person.name;
      item.querySelector('[data-person-part="you"]').hidden = person.id !== this.me?.id;
      item.querySelector('[data-person-part="guest"]').hidden = !person.guest;
      item.querySelector('[data-person-part="moderator"]').hidden = !person.moderator;
      return item;
    }));
    this.#root.querySelectorAll('[data-chat="total"]').forEach((place) => { place.textContent = total.toLocaleString("en"); });
    const others = part(this.#root, "others");
    others.hidden = total <= SHOWN;
    others.textContent = `and ${(total - SHOWN).toLocaleString("en")} others`;
  }

  types(person) {
    if (person.id === this.me?.id) return;
    this.#typing.set(person.id, { name: person.name, until: performance.now() + TYPING });
    this.#tell();
  }

  /** They have said it. */
  said(id) {
    if (this.#typing.delete(id)) this.#tell();
  }

  stop() {
    clearTimeout(this.#timer);
  }

  #tell() {
    clearTimeout(this.#timer);
    const now = performance.now();
    for (const [id, { until }] of this.#typing) if (until <= now) this.#typing.delete(id);
    const names = [...this.#typing.values()].map(({ name }) => name);
    const told = names.length > 2 ? "Several people are typing…" : `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} typing…`;
    part(this.#root, "typing").textContent = names.length ? told : "";
    if (names.length) this.#timer = setTimeout(() => this.#tell(), 500);
  }
}
