/**
 * The dashboard: a card for each host, live. However many reports come, the page draws only what is seen, a few times a second, and no
 * longer than BUDGET at a time: hundreds of hosts leave it free to scroll.
 *
 * <section data-behaviour="monitor/dashboard" data-samples="/dashboard/samples.json" data-host-url="/hosts/HOST/">
 *   <input data-board="filter"> <select data-board="sort"> <p data-board="summary">
 *   <ul data-board="hosts"> cards, see card.js </ul> <template data-board="card"> <div data-board="empty" hidden> <p data-board="none" hidden>
 * </section>
 */
import { live } from "wampflask";
import { Card } from "./card.js";
import { fetchJson, liveWith, samples } from "./samples.js";
import { HostState } from "./state.js";
import { setText } from "./units.js";

const PACE = 250; // ms between two drawings: each costs the browser a layout and a composition of the whole page
const BUDGET = 12; // ms of a frame spent on cards; the others follow in the next

export function connect(root) {
  const board = new Board(root);
  const shown = liveWith("hosts", "samples");
  const followed = [
    live("monitor.hosts", (rows, changes) => {
      board.show(rows, changes);
      shown("hosts");
    }, { kind: "rows" }),
    samples("monitor.clientstats.", {
      report: (host, sample) => board.report(host, sample),
      recall: async () => {
        board.recall(await fetchJson(root.dataset.samples));
        shown("samples");
      },
    }),
  ];
  return () => {
    followed.forEach((one) => one.stop());
    board.stop();
  };
}

class Board {
  #cards = new Map();
  #rendered;
  #stored = {};
  #timer = null;
  #frame = 0;
  #drawn = 0;
  #moved = false;
  #root;
  #list;
  #seen;
  #controls = new AbortController();

  constructor(root) {
    this.#root = root;
    this.#list = this.#part("hosts");
    this.#rendered = new Map([...this.#list.children].map((element) => [element.dataset.host, element]));
    this.#seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const card = this.#cards.get(target.dataset.host);
        if (card) card.visible = isIntersecting;
      }
      this.#schedule();
    }, { rootMargin: "150px" });
    const { signal } = this.#controls;
    this.#part("filter").addEventListener("input", () => this.#arrange(), { signal });
    this.#part("sort").addEventListener("change", () => this.#arrange(), { signal });
  }

  #part(name) {
    return this.#root.querySelector(`[data-board="${name}"]`);
  }

  /** @param rows what the hub says of each host  @param {{changed: string[], gone: string[]}} changes the hosts that this is about */
  show(rows, { changed, gone }) {
    for (const host of gone) this.#remove(host);
    for (const host of changed) (this.#cards.get(host) ?? this.#add(host)).learn(rows.get(host));
    for (const element of this.#rendered.values()) element.remove(); // those of hosts that are gone meanwhile
    this.#rendered.clear();
    this.#moved = true;
    this.#schedule();
  }

  /** @param stored by host, what the hub has of its samples */
  recall(stored) {
    this.#stored = stored;
    for (const [host, card] of this.#cards) if (stored[host]) card.recall(stored[host]);
    this.#schedule();
  }

  report(host, sample) {
    const card = this.#cards.get(host);
    card?.report(sample);
    if (card?.visible) this.#schedule();
  }

  stop() {
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#controls.abort();
    this.#seen.disconnect();
    for (const card of this.#cards.values()) card.spark.destroy();
  }

  #add(host) {
    const rendered = this.#rendered.get(host);
    this.#rendered.delete(host);
    const element = rendered ?? this.#part("card").content.firstElementChild.cloneNode(true);
    element.dataset.host = host;
    element.querySelector('[data-part="title"]').href = this.#root.dataset.hostUrl.replace("HOST", host);
    const card = new Card(element, new HostState(host));
    if (this.#stored[host]) card.recall(this.#stored[host]);
    this.#cards.set(host, card);
    if (!rendered) this.#list.append(element);
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

  #schedule() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#frame ||= requestAnimationFrame(() => this.#show());
    }, Math.max(0, this.#drawn + PACE - performance.now()));
  }

  #show() {
    this.#frame = 0;
    this.#drawn = performance.now();
    if (this.#moved) this.#arrange();
    for (const card of this.#cards.values()) {
      if (!card.visible || !card.dirty) continue;
      if (performance.now() > this.#drawn + BUDGET) {
        this.#frame = requestAnimationFrame(() => this.#show());
        return;
      }
      card.draw();
    }
  }

  /** Filter, order and counts. Cards are moved only where the order differs. */
  #arrange() {
    this.#moved = false;
    const words = this.#part("filter").value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const by = this.#part("sort").value;
    const counts = { online: 0, offline: 0, disabled: 0 };
    const keyed = [...this.#cards.values()].map((card) => ({ card, key: card.key(by), name: card.key("name") }));
    keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.name < b.name ? -1 : 1));
    let shown = 0;
    let place = this.#list.firstElementChild;
    for (const { card } of keyed) {
      counts[card.state.state] += 1;
      card.element.hidden = !card.matches(words);
      shown += !card.element.hidden;
      if (card.element === place) place = place.nextElementSibling;
      else this.#list.insertBefore(card.element, place);
    }
    const told = Object.entries(counts).filter(([, count]) => count).map(([state, count]) => `${count} ${state}`);
    setText(this.#part("summary"), told.join(" · "));
    this.#part("empty").hidden = keyed.length > 0;
    this.#part("none").hidden = shown > 0 || !keyed.length;
    this.#part("tools").hidden = !keyed.length;
  }
}
