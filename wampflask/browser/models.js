/**
 * The three kinds of live things, as a page keeps them. Each takes events and answers in any order, and applies what is newer than what
 * it shows; an answer also counts when it is as new. Numbers are comparable within one session; `reset` forgets them. What has no
 * number (undefined) is taken as it comes.
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

  take(state, number, isAnswer) {
    if (isAnswer ? number < this.seen : number <= this.seen) return;
    const { apply, gone } = this.#options;
    this.seen = number ?? this.seen;
    if (state !== undefined) attempt(() => (state === null && gone ? gone() : apply(state)));
  }
}

/**
 * A keyed set. apply(rows, {changed, gone}): a Map of all rows, and the keys of those that this is about. An answer is all rows there
 * are; the others are gone, but for those that are newer. `version(row)`: rows have writers who count each for themselves.
 */
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

  take(state, number, isAnswer) {
    const { version, apply } = this.#options;
    const all = isAnswer || state.all;
    const rows = (isAnswer ? state : state.rows) ?? {};
    const isNew = (key, given) => {
      const seen = Math.max(this.#numbers.get(key) ?? -Infinity, this.seen);
      if (all ? given < seen : given <= seen) return false;
      if (given !== undefined) this.#numbers.set(key, given);
      return true;
    };
    const changed = Object.keys(rows).filter((key) => isNew(key, version ? version(rows[key]) : number) && this.rows.set(key, rows[key]));
    const left = all ? [...this.rows.keys()].filter((key) => !Object.hasOwn(rows, key)) : state.gone ?? [];
    const gone = left.filter((key) => isNew(key, number) && this.rows.delete(key));
    if (all && number > this.seen) {
      this.seen = number;
      this.#numbers.forEach((seen, key) => seen <= number && this.#numbers.delete(key));
    }
    attempt(() => apply(this.rows, { changed, gone }));
  }
}

/**
 * Append-only and numbered. apply(item), once for each; one may come before another with a lower id. `gapless`: ids follow one another
 * without holes, so that a hole is something that has not come yet.
 */
export class Log {
  #options;
  #ids = new Set();
  #top;

  constructor(options) {
    this.#options = { id: (item) => item.id, ...options };
    this.since = options.since ?? null;
    this.#top = this.since ?? -Infinity;
  }

  reset() {}

  /** Whether nothing is known to be missing. */
  get complete() {
    return !(this.#top > (this.since ?? -Infinity));
  }

  /** An answer's items are in their order; its number is up to where they tell all, by default the last one's id. */
  take(state, number, isAnswer) {
    const { id, apply, gapless, since } = this.#options;
    const items = isAnswer ? state ?? [] : [state];
    for (const item of items) {
      if (id(item) <= since || this.#ids.has(id(item))) continue;
      this.#ids.add(id(item));
      this.#top = Math.max(this.#top, id(item));
      attempt(() => apply(item));
    }
    const upTo = number ?? (items.length ? id(items.at(-1)) : -Infinity);
    if (isAnswer) this.#top = Math.max(this.#top, upTo);
    if (!gapless && this.#top > -Infinity) this.since = this.#top;
    else if (isAnswer && upTo > (this.since ?? -Infinity)) this.since = upTo;
    while (this.#ids.has(this.since + 1)) this.since += 1;
  }
}
