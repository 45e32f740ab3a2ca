/**
 * The dashboard: a card for each host, live. However many reports come, the page draws only what is seen, a few times a second, and no
 * longer than BUDGET at a time: hundreds of hosts leave it free to scroll.
 *
 * <section data-behaviour="monitor/dashboard" data-snapshot="/dashboard/snapshot.json" data-host-url="/hosts/HOST/">
 *   <input data-board="filter"> <select data-board="sort"> <p data-board="summary">
 *   <ul data-board="hosts"> cards, see card.js </ul> <template data-board="card"> <div data-board="empty" hidden> <p data-board="none" hidden>
 * </section>
 */
import { AlertList } from "./alert_list.js";
import { Card } from "./card.js";
import { fetchJson, follow } from "./feed.js";
import { HostState } from "./state.js";
import { setText } from "./units.js";

const PACE = 250; // ms between two drawings: each costs the browser a layout and a composition of the whole page
const BUDGET = 12; // ms of a frame spent on cards; the others follow in the next

export function connect(root) {
  const board = new Board(root);
  const alerts = new AlertList(document.querySelector('[data-monitor="alerts"]'));
  const of = (act) => (host, payload) => board.with(host, (card) => act(card, payload));
  const feed = follow({
    "monitor.clientstats.": of((card, sample) => card.report(sample)),
    "monitor.clientconfig.": (host, config) => {
      if (config.removed) board.drop(host);
      else board.with(host, (card) => board.changed(card, () => card.state.configure(config)));
    },
    "monitor.presence.": of((card, presence) => board.changed(card, () => card.state.appear(presence))),
    "monitor.alert.": (_, alert) => alerts.take(alert),
  }, {
    snapshot: () => fetchJson(root.dataset.snapshot),
    apply(data) {
      board.load(data.hosts);
      alerts.load(data.alerts);
      document.documentElement.dataset.live = "true";
    },
  });
  board.onUnknown = () => feed.refresh();
  return () => {
    feed.stop();
    board.stop();
  };
}

class Board {
  #cards = new Map();
  #timer = null;
  #frame = 0;
  #drawn = 0;
  #moved = false;
  #root;
  #list;
  #seen;
  #controls = new AbortController();
  onUnknown = () => {};

  constructor(root) {
    this.#root = root;
    this.#list = this.#part("hosts");
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

  with(host, act) {
    const card = this.#cards.get(host);
    if (!card) return this.onUnknown();
    act(card);
    if (card.visible) this.#schedule();
  }

  /** A change that moves cards or counts, not only numbers. */
  changed(card, act) {
    act();
    card.dirty = true;
    this.#moved = true;
    this.#schedule();
  }

  drop(host) {
    const card = this.#cards.get(host);
    if (!card) return;
    this.#remove(host, card);
    this.#arrange();
  }

  load(hosts) {
    const there = new Set(hosts.map((one) => one.host));
    for (const [host, card] of this.#cards) if (!there.has(host)) this.#remove(host, card);
    const elements = new Map([...this.#list.children].map((one) => [one.dataset.host, one]));
    for (const one of hosts) {
      const known = this.#cards.get(one.host);
      const card = known ?? this.#add(one, elements.get(one.host));
      card.state.load(one);
      card.spark.load(one.spark);
      card.dirty = true;
    }
    for (const [host, element] of elements) if (!there.has(host)) element.remove();
    this.#arrange();
    this.#schedule();
  }

  stop() {
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#controls.abort();
    this.#seen.disconnect();
    for (const card of this.#cards.values()) card.spark.destroy();
  }

  #add(one, element) {
    const made = element ?? this.#part("card").content.firstElementChild.cloneNode(true);
    made.dataset.host = one.host;
    made.querySelector('[data-part="title"]').href = this.#root.dataset.hostUrl.replace("HOST", one.host);
    const card = new Card(made, new HostState(one));
    this.#cards.set(one.host, card);
    if (!element) this.#list.append(made);
    this.#seen.observe(made);
    return card;
  }

  #remove(host, card) {
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
