/**
 * Shows the cards of the dashboard; the parts of the page are those of dashboard.js. Longer than
 * other modules, since filter, order and drawing work on one set of cards.
 */
import { arrange, clone, partsOf, setText } from "../dom.js";
import { Card } from "./card.js";
import { matches, ordered, summary } from "./order.js";
import { Painter } from "./painter.js";
import { HostState } from "./state.js";

export class Board {
  #cards = new Map();
  #rendered;
  #stored = {};
  #moved = false;
  #root;
  #part;
  #seen;
  #painter = new Painter(() => this.#strokes());
  #controls = new AbortController();

  constructor(root) {
    this.#root = root;
    this.#part = partsOf(root);
    const rendered = [...this.#part("hosts").children];
    this.#rendered = new Map(rendered.map((element) => [element.dataset.host, element]));
    this.#seen = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const card = this.#cards.get(target.dataset.host);
          if (card) card.visible = isIntersecting;
        }
        this.#painter.schedule();
      },
      { rootMargin: "150px" },
    );
    const { signal } = this.#controls;
    this.#part("filter").addEventListener("input", () => this.#arrange(), { signal });
    this.#part("sort").addEventListener("change", () => this.#arrange(), { signal });
  }

  /**
   * @param rows what the hub knows of each host
   * @param {{changed: string[], gone: string[]}} changes the hosts that this is about
   */
  show(rows, { changed, gone }) {
    for (const host of gone) this.#remove(host);
    for (const host of changed) (this.#cards.get(host) ?? this.#add(host)).learn(rows.get(host));
    // of hosts that were removed meanwhile
    for (const element of this.#rendered.values()) element.remove();
    this.#rendered.clear();
    this.#moved = true;
    this.#painter.schedule();
  }

  /** @param stored by host, what the hub has of its samples */
  recall(stored) {
    this.#stored = stored;
    for (const [host, card] of this.#cards) if (stored[host]) card.recall(stored[host]);
    this.#painter.schedule();
  }

  report(host, sample) {
    const card = this.#cards.get(host);
    card?.report(sample);
    if (card?.visible) this.#painter.schedule();
  }

  stop() {
    this.#painter.stop();
    this.#controls.abort();
    this.#seen.disconnect();
    for (const card of this.#cards.values()) card.spark.destroy();
  }

  #add(host) {
    const rendered = this.#rendered.get(host);
    this.#rendered.delete(host);
    const element = rendered ?? clone(this.#part("card"));
    element.dataset.host = host;
    partsOf(element)("title").href = this.#root.dataset.hostUrl.replace("HOST", host);
    const card = new Card(element, new HostState(host));
    if (this.#stored[host]) card.recall(this.#stored[host]);
    this.#cards.set(host, card);
    if (!rendered) this.#part("hosts").append(element);
    this.#seen.observe(element);
    return card;
  }

  #remove(host) {
    const card = this.#cards.get(host);
    this.#seen.unobserve(card.element);
    card.spark.destroy();
    card.element.remove();
    this.#cards.delete(host);
  }

  *#strokes() {
    if (this.#moved) this.#arrange();
    for (const card of this.#cards.values())
      if (card.visible && card.dirty) yield () => card.draw();
  }

  /** Filters, orders and counts the cards. */
  #arrange() {
    if (this.#rendered.size) return; // the page's own cards stay until the rows are known
    this.#moved = false;
    const cards = ordered([...this.#cards.values()], this.#part("sort").value);
    const filter = this.#part("filter").value;
    for (const { element, state } of cards) element.hidden = !matches(state, filter);
    arrange(
      this.#part("hosts"),
      cards.map(({ element }) => element),
    );
    setText(this.#part("summary"), summary(cards.map(({ state }) => state)));
    this.#part("empty").hidden = cards.length > 0;
    this.#part("none").hidden = !cards.length || cards.some(({ element }) => !element.hidden);
    this.#part("tools").hidden = !cards.length;
  }
}
