/**
 * Keeps something on the page true: subscribes, then fetches a snapshot, then applies what came meanwhile, and does all of it again
 * after each reconnect. A state with an older version never overwrites a newer one, in whatever order they arrive.
 *
 * live(connection, topics, {
 *   snapshot: async (session) => state or [states],  // asked again while it fails
 *   apply: (state) => {},
 *   key: (state) => "",                              // which of several things the state is of
 *   version: (state) => state.version,               // undefined: the order of arrival decides
 *   also: (state) => [],                             // further topics that a snapshot leads to
 *   vague: (state) => false,                         // true for an event that tells less than the page may show: unless somebody
 *   patience: 1000,                                  // brings that version within so many milliseconds, the snapshot is asked for
 * })
 * @returns {() => void} stop
 */
import { delay, pause } from "./backoff.js";

const KEEP = 1000; // events held while a snapshot is on its way

let warned = false;

function warnOfMissingVersion(state) {
  if (!warned) console.warn("live: a state has no version, so an older one that arrives late is shown. Send a version that grows with each change.", state);
  warned = true;
}

export function live(connection, topics, handlers) {
  const following = new Following(handlers);
  const remove = connection.use((session) => following.run(session, [topics].flat()));
  return () => {
    remove();
    following.stop();
  };
}

class Following {
  #handlers;
  #shown = new Map();
  #round = null;
  #doubting = false;

  constructor(handlers) {
    this.#handlers = { key: () => "", version: (state) => state?.version, also: () => [], vague: () => false, patience: 1000, ...handlers };
  }

  /** One round: everything between two losses of the connection. */
  async run(session, topics) {
    const round = this.#round = { session, topics: new Set(), waiting: [], hear: (state) => this.#hear(round, state) };
    try {
      await this.#listen(round, topics);
      await this.#settle(round);
    } finally {
      const waiting = round.waiting;
      round.waiting = null;
      waiting.forEach((state) => this.#hear(round, state));
    }
  }

  stop() {
    const { session, topics, hear } = this.#round ?? { topics: [] };
    this.#round = null;
    for (const topic of topics) session.unsubscribe(topic, hear).catch(() => {});
  }

  async #listen(round, topics) {
    topics.forEach((topic) => round.topics.add(topic));
    await Promise.all(topics.map((topic) => round.session.subscribe(topic, round.hear)));
  }

  /** Snapshots until one names no topic that is not listened to yet. */
  async #settle(round) {
    for (;;) {
      const states = await this.#snapshot(round);
      const more = states.flatMap(this.#handlers.also).filter((topic) => !round.topics.has(topic));
      if (!more.length) return;
      await this.#listen(round, more);
    }
  }

  /** Asks until there is an answer, or the round is over. */
  async #snapshot(round) {
    for (let failures = 0; this.#round === round && round.session.alive; failures += 1) {
      try {
        const states = [await this.#handlers.snapshot(round.session)].flat();
        if (this.#round !== round) break;
        states.forEach((state) => this.#take(state, true));
        return states;
      } catch {
        await pause(delay(failures, { base: 500, cap: 5000 }));
      }
    }
    return [];
  }

  #hear(round, state) {
    if (this.#round !== round) return;
    if (round.waiting) {
      if (round.waiting.push(state) > KEEP) round.waiting.shift();
    } else if (!this.#handlers.vague(state)) {
      this.#take(state);
    } else {
      this.#doubt(round, state);
    }
  }

  /** One snapshot for however many vague events, and none when their versions came another way. */
  async #doubt(round, state) {
    if (this.#doubting || !this.#isNewer(state)) return;
    this.#doubting = true;
    await pause(this.#handlers.patience * (0.5 + Math.random() / 2));
    this.#doubting = false;
    if (this.#round === round && this.#isNewer(state)) await this.#settle(round).catch(() => {});
  }

  #isNewer(state, orSame = false) {
    const { key, version } = this.#handlers;
    const number = version(state);
    if (number === undefined) {
      warnOfMissingVersion(state);
      return true;
    }
    const seen = this.#shown.get(key(state)) ?? -Infinity;
    return number > seen || (orSame && number === seen);
  }

  #take(state, orSame = false) {
    if (!this.#isNewer(state, orSame)) return;
    const { key, version, apply } = this.#handlers;
    this.#shown.set(key(state), version(state));
    apply(state);
  }
}
