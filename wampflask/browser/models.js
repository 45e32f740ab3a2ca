/**
 * The three kinds of live things, as a page keeps them. Each takes events and answers in any order, and applies what is newer than what
 * it shows; an answer also counts when it is as new. Numbers are comparable within one session; `reset` forgets them. What has no
 * number (undefined) is taken as it comes.
 */
import { attempt } from "./errors.js";

/** Newest wins. apply(state); a state of null is gone(), a state that is undefined says "as you know it". */
export const value = ({ apply, gone = () => apply(null) }) => ({
  seen: -Infinity,

  reset() {
    this.seen = -Infinity;
  },

  take(state, number, isAnswer) {
    if (isAnswer ? number < this.seen : number <= this.seen) return;
    this.seen = number ?? this.seen;
    if (state !== undefined) attempt(() => (state === null ? gone() : apply(state)));
  },
});

/**
 * A keyed set. apply(rows, {changed, gone}): a Map of all rows, and the keys of those that this is about. An answer is all rows there
 * are; the others are gone, but for those that are newer. Events before the first answer are kept for it: they know only some of the
 * rows. `version(row)`: rows have writers who count each for themselves.
 */
export const rows = ({ apply, version }, all = new Map(), numbers = new Map(), isWhole) => ({
  seen: -Infinity,

  reset() {
    numbers.clear();
    this.seen = -Infinity;
  },

  take(state, number, isAnswer) {
    const isAll = isAnswer || state.all;
    const given = (isAnswer ? state : state.rows) ?? {};
    const isNew = (key, count) => {
      const seen = Math.max(numbers.get(key) ?? -Infinity, this.seen);
      return !(isAll ? count < seen : count <= seen) && numbers.set(key, count);
    };
    const news = Object.keys(given).filter(
      (key) => isNew(key, version ? version(given[key]) : number) && all.set(key, given[key]),
    );
    const left = isAll
      ? [...all.keys()].filter((key) => !Object.hasOwn(given, key))
      : (state.gone ?? []);
    const gone = left.filter((key) => isNew(key, number) && all.delete(key));
    if (isAll && number > this.seen) {
      this.seen = number;
      numbers.forEach((seen, key) => seen <= number && numbers.delete(key));
    }
    const changed = isWhole ? news : [...all.keys()];
    if ((isWhole ||= isAll)) attempt(() => apply(all, { changed, gone }));
  },
});

/**
 * Append-only and numbered. apply(item), once for each; one may come before another with a lower id. `gapless`: ids follow one another
 * without holes, so that a hole is something that has not come yet.
 */
export const log = (
  { apply, gapless, since = null, id = (item) => item.id },
  ids = new Set(),
  from = since ?? -Infinity,
  top = from,
) => ({
  since,

  reset() {},

  /** An answer's items are in their order; its number is the last that they cover, by default the last one's id. */
  take(state, number, isAnswer) {
    const items = isAnswer ? (state ?? []) : [state];
    for (const item of items) {
      if (id(item) <= from || ids.has(id(item))) continue;
      ids.add(id(item));
      top = Math.max(top, id(item));
      attempt(() => apply(item));
    }
    const upTo = isAnswer ? (number ?? (items.length ? id(items.at(-1)) : from)) : from;
    top = Math.max(top, upTo);
    if (!gapless && top > from) this.since = top;
    else if (upTo > (this.since ?? from)) this.since = upTo;
    while (ids.has(this.since + 1)) this.since += 1;
  },

  /** Whether something is known to be missing. */
  get hole() {
    return top > (this.since ?? from);
  },
});
