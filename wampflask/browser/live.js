/**
 * Keeps a live thing true: subscribes, then asks for its state, and does both again in each new session.
 *
 * The rule: a page shows the state with the greatest number that it got in its present session. With a new session it forgets all
 * numbers, and what it asks for counts. In a message the state is the first argument, and its number the second.
 */
import { delay, pause } from "./backoff.js";
import { Log, Rows, Value } from "./models.js";
import { NOT_AUTHORIZED, WORKER_LOST } from "./uris.js";

const KINDS = { value: Value, rows: Rows, log: Log };
const KEEP = 1000; // events that wait for an answer
const HOLE = 400; // ms for a hole in a log to close by itself: events of several workers overtake each other
const STALE = 500; // ms, and as many again by chance, until a page asks because an event said no more than "stale"
const RETURN = 1000; // ms over which pages spread that come back
const WORKER = 5000; // ms over which pages spread that ask because a worker was lost

/**
 * @param {import("./connection.js").Connection} connection
 * @param {string | string[] | ((session: any) => Promise<string | string[]>)} topics
 * @param {((...args: any[]) => void) | object} apply  or the options, with `apply` among them
 * @param {object} [options]  see index.d.ts
 */
export function live(connection, topics, apply, options = {}) {
  const thing = new Live(connection, topics, typeof apply === "function" ? { ...options, apply } : apply);
  return {
    stop: () => thing.stop(),
    restart: () => thing.restart(),
    refresh: (within = 0) => thing.refresh(within),
  };
}

class Live {
  #connection;
  #topics;
  #options;
  #model;
  #round = null;
  #remove;
  #ending = new AbortController();
  #began = false;
  #warned = false;
  #isLog;

  constructor(connection, topics, { kind = "value", ...options }) {
    this.#connection = connection;
    this.#topics = topics;
    this.#options = {
      stale: (state) => state === null,
      unpack: ([state, number]) => ({ state, number }),
      also: () => [],
      ask: (session, since) => this.#ask(session, since),
      failed: () => {},
      refused: (error) => connection.fail(error),
      ...options,
    };
    this.#model = new KINDS[kind](this.#options);
    this.#isLog = kind === "log";
    if (options.every) this.#lookEach(options.every * 1000);
    this.#remove = connection.use((session) => this.#begin(session));
  }

  stop() {
    this.#remove();
    this.#ending.abort();
    this.#leave();
  }

  /** Begins again in this session, as its topics have moved. */
  restart() {
    const round = this.#round;
    this.#leave();
    if (round) this.#run(this.#enter(round.session));
  }

  /** Asks now, or within some milliseconds: several wishes become one. */
  refresh(within) {
    this.#later("refresh", within);
  }

  /** Asks again and again while the page is seen. */
  #lookEach(ms) {
    const look = () => globalThis.document?.visibilityState !== "hidden" && this.refresh(0);
    const timer = setInterval(look, ms);
    const { signal } = this.#ending;
    signal.addEventListener("abort", () => clearInterval(timer));
    globalThis.document?.addEventListener("visibilitychange", look, { signal });
  }

  /** One round: everything between two losses of the connection. */
  async #begin(session) {
    const round = this.#enter(session);
    this.#model.reset();
    if (this.#began) round.wait = session.jitter * RETURN;
    this.#began = true;
    await this.#run(round);
  }

  #enter(session) {
    return (this.#round = { session, topics: new Map(), listens: false, held: [], busy: false, again: false, stale: -Infinity, soon: new Set(), wait: 0 });
  }

  #leave() {
    const topics = this.#round?.topics ?? new Map();
    this.#round = null;
    for (const end of topics.values()) end.then((stop) => stop(), () => {});
  }

  #is(round) {
    return this.#round === round && round.session.alive;
  }

  /** Listens and asks until there is an answer to all that was to be asked, or a refusal, or the round is over. */
  async #run(round) {
    round.again = true;
    if (round.busy) return;
    round.busy = true;
    for (let failures = 0; this.#is(round) && round.again;) {
      try {
        if (!round.listens) await this.#listen(round);
        if (round.wait) await pause(round.wait);
        round.wait = 0;
        round.again = false;
        await this.#settle(round);
        failures = 0;
      } catch (error) {
        if (!this.#is(round) || !this.#bears(error)) break;
        round.again = true;
        await pause(delay(failures, { base: 500, cap: 5000 }));
        failures += 1;
      }
    }
    round.busy = false;
  }

  /** @returns {boolean} whether it is worth trying again */
  #bears(error) {
    if (this.#options.failed(error) !== false && error.uri !== NOT_AUTHORIZED) return true;
    this.#leave();
    this.#options.refused(error);
    return false;
  }

  async #listen(round) {
    const topics = typeof this.#topics === "function" ? await this.#topics(round.session) : this.#topics;
    if (!this.#is(round)) return;
    await this.#hearOf(round, [topics].flat());
    round.listens = true;
    this.#subscribe(round, WORKER_LOST, () => this.#later("worker", round.session.jitter * WORKER)).catch(() => {}); // no engine there
  }

  #hearOf(round, topics) {
    const fresh = topics.filter((topic) => !round.topics.has(topic));
    return Promise.all(fresh.map((topic) => this.#subscribe(round, topic, (_, where, { args, kwargs }) => this.#hear(round, args, where, kwargs))));
  }

  async #subscribe(round, topic, handler) {
    const confirmed = round.session.subscribe(topic, handler);
    round.topics.set(topic, confirmed);
    try {
      await confirmed;
    } catch (error) {
      round.topics.delete(topic);
      throw error;
    }
  }

  /** Asks until the answers name no topic that is not listened to yet, and have no more to tell. */
  async #settle(round) {
    for (;;) {
      let answer;
      round.held ??= [];
      try {
        answer = await this.#options.ask(round.session, this.#model.since);
        if (!this.#is(round)) return;
        this.#model.settle(answer.state, this.#number(answer.state, answer.number));
      } finally {
        const held = round.held;
        round.held = null;
        if (this.#is(round)) held.forEach(([state, number]) => this.#take(state, number));
      }
      const more = [answer.topics ?? this.#options.also(answer.state)].flat().filter((topic) => !round.topics.has(topic));
      if (!more.length && !answer.more) return;
      await this.#hearOf(round, more);
    }
  }

  /** Calls the first topic, or a log's history. */
  async #ask(session, since) {
    const [topic] = this.#round.topics.keys();
    if (this.#isLog) {
      const answer = await session.call(this.#options.history ?? topic, [], { kwargs: { since } });
      return Array.isArray(answer) ? { state: answer } : { ...answer, state: answer.items };
    }
    const { args } = await session.call(topic, [], { full: true });
    return { state: args[0], number: args[1] };
  }

  #hear(round, args, topic, kwargs) {
    if (this.#round !== round) return;
    const { state, number: given } = this.#options.unpack(args, topic, kwargs);
    const number = this.#number(state, given);
    if (!this.#isLog && this.#options.stale(state)) {
      round.stale = Math.max(round.stale, number ?? Infinity);
      this.#later("stale", STALE * (1 + round.session.jitter), () => !(this.#model.seen >= round.stale));
    } else if (!round.held || !this.#model.waits(number)) {
      this.#take(state, number);
    } else if (round.held.push([state, number]) > KEEP) {
      round.held.shift();
      round.again = true;
    }
  }

  #take(state, number) {
    this.#model.hear(state, number);
    if (this.#model.complete === false) this.#later("hole", HOLE, () => !this.#model.complete);
  }

  #number(state, number) {
    const { version } = this.#options;
    if (this.#isLog || typeof number === "number" || state === null || state === undefined) return number ?? undefined;
    if (version) return this.#model.rows ? undefined : version(state);
    if (!this.#warned) console.warn(`No numbers come with the states of ${this.#topics}: an old one may overwrite a newer.`);
    this.#warned = true;
    return undefined;
  }

  /** Asks after `ms`, if it is still needed; once for however many reasons of a kind. */
  async #later(why, ms, isNeeded = () => true) {
    const round = this.#round;
    if (!round || round.soon.has(why)) return;
    round.soon.add(why);
    if (ms) await pause(ms);
    round.soon.delete(why);
    if (this.#is(round) && isNeeded()) await this.#run(round);
  }
}
