/**
 * The three kinds of live things, as a page keeps them. Each takes events (`hear`) and answers (`settle`) in any order, and applies
 * what is newer than what it shows. Numbers are comparable within one session; `reset` forgets them. Without a number, order counts.
 */
import { attempt } from "./errors.js";

/** Newest wins. apply(state); a state of null is gone(), a state that is undefined says "as you know it". */
export class Value {
  #options;
  seen = -Infinity;

  constructor(options) {
    this.#options = options;
  }

  reset() {
    this.seen = -Infinity;
  }

  /** Whether an event has to wait for an answer that is on its way, because nothing says which of them is newer. */
  waits(number) {
    return number === undefined;
  }

  hear(state, number) {
    if (!(number <= this.seen)) this.#take(state, number);
  }

  settle(state, number) {
    if (!(number < this.seen)) this.#take(state, number);
  }

  #take(state, number) {
    const { apply, gone } = this.#options;
    this.seen = number ?? this.seen;
    if (state !== undefined) attempt(() => (state === null && gone ? gone() : apply(state)));
  }
}

/** A keyed set. apply(rows, {changed, gone}): a Map of all rows, and the keys of those that this is about. */
export class Rows {
  #options;
  #numbers = new Map();
  rows = new Map();
  seen = -Infinity;

  constructor(options) {
    this.#options = options;
  }

  reset() {
    this.#numbers.clear();
    this.seen = -Infinity;
  }

  /** A writer's own numbers say nothing of the rows that an answer leaves out. */
  waits(number) {
    return number === undefined || Boolean(this.#options.version);
  }

  hear({ rows = {}, gone = [], all = false }, number) {
    if (all) return this.settle(rows, number);
    const changed = this.#put(rows, number, (given, seen) => given <= seen);
    this.#tell(changed, gone.filter((key) => !(number <= this.#number(key)) && this.#drop(key, number)));
  }

  /** All rows there are; the others are gone, but for those that are newer. */
  settle(rows, number) {
    rows ??= {};
    const changed = this.#put(rows, number, (given, seen) => given < seen);
    const newer = (key) => !this.#options.version && this.#number(key) > number;
    this.#tell(changed, [...this.rows.keys()].filter((key) => !Object.hasOwn(rows, key) && !newer(key) && this.#drop(key)));
    if (this.#options.version || number === undefined) return;
    this.seen = Math.max(this.seen, number);
    for (const [key, seen] of this.#numbers) if (seen <= this.seen) this.#numbers.delete(key);
  }

  #put(rows, number, isOld) {
    const { version } = this.#options;
    return Object.keys(rows).filter((key) => {
      const given = version ? version(rows[key]) : number;
      if (isOld(given, this.#number(key))) return false;
      if (given !== undefined) this.#numbers.set(key, given);
      this.rows.set(key, rows[key]);
      return true;
    });
  }

  #drop(key, number) {
    if (number !== undefined) this.#numbers.set(key, number);
    return this.rows.delete(key);
  }

  #number(key) {
    return Math.max(this.#numbers.get(key) ?? -Infinity, this.seen);
  }

  #tell(changed, gone) {
    attempt(() => this.#options.apply(this.rows, { changed, gone }));
  }
}

const KEEP = 1000; // ids behind the newest of which it is known that they were seen

/**
 * Append-only and numbered. apply(item), once for each; one may come before another with a lower id. `gapless`: ids follow one another
 * without holes, so that a hole is something that has not come yet.
 */
export class Log {
  #options;
  #ids = new Set();
  #from;
  #top;
  seen = -Infinity;

  constructor(options) {
    this.#options = { id: (item) => item.id, ...options };
    this.since = options.since ?? null;
    this.#from = this.#top = this.since ?? -Infinity;
  }

  reset() {}

  waits() {
    return true;
  }

  /** Whether nothing is known to be missing. */
  get complete() {
    return !(this.#top > (this.since ?? -Infinity));
  }

  hear(item) {
    this.#add(item);
    this.#advance();
  }

  /** Items in their order; `number` is up to where they tell all, by default the last one's id. */
  settle(items, number) {
    items ??= [];
    items.forEach((item) => this.#add(item));
    const upTo = number ?? (items.length ? this.#options.id(items.at(-1)) : this.since);
    if (upTo > (this.since ?? -Infinity)) this.since = upTo;
    this.#top = Math.max(this.#top, this.since ?? -Infinity);
    this.#advance();
  }

  #advance() {
    if (!this.#options.gapless && this.#top > -Infinity) this.since = this.#top;
    while (this.#ids.has(this.since + 1)) this.since += 1;
  }

  #add(item) {
    const id = this.#options.id(item);
    if (id <= this.#from || this.#ids.has(id)) return;
    this.#ids.add(id);
    this.#top = Math.max(this.#top, id);
    attempt(() => this.#options.apply(item));
    if (this.#ids.size <= 2 * KEEP) return;
    this.#from = this.#top - KEEP;
    for (const old of this.#ids) if (old <= this.#from) this.#ids.delete(old);
  }
}
