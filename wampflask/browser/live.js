/**
 * Keeps a live thing true: subscribes, then asks for its state, and does both again in each new session.
 *
 * The rule: a page shows the state with the greatest number that it got in its present session. With a new session it forgets all
 * numbers, and what it asks for counts. In a message the state is the first argument, and its number the second.
 */
import { delay, pause } from "./backoff.js";
import { log, rows, value } from "./models.js";
import { WORKER_LOST } from "./uris.js";

const KINDS = { value, rows, log };
const HOLE = 400; // ms for a hole in a log to close by itself: events of several workers overtake each other
const STALE = 500; // ms, and up to as many again, until a page asks because an event said no more than "stale"
const RETURN = 1000; // ms over which pages spread that come back
const WORKER = 5000; // ms over which pages spread that ask because a worker was lost

/**
 * @param {import("./connection.js").Connection} connection
 * @param {string | string[] | ((session: any) => Promise<string | string[]>)} topics
 * @param {(...args: any[]) => void} apply
 * @param {object} [options]  see index.d.ts
 */
export const live = (connection, topics, apply, options) =>
  new Live(connection, topics, { ...options, apply });

class Live {
  #topics;
  #options;
  #model;
  #remove;
  #began = false;
  #warned = false;
  #ending = new AbortController();
  /** Everything between two losses of the connection. */
  #round = null;

  constructor(connection, topics, options) {
    this.#topics = topics;
    this.#options = {
      kind: "value",
      stale: (state) => state === null,
      unpack: ([state, number]) => ({ state, number }),
      ask: (session, since) => this.#ask(session, since),
      refused: (error) => connection.fail(error),
      ...options,
    };
    this.#model = KINDS[this.#options.kind](this.#options);
    if (options.every) this.#look(options.every * 1000);
    this.#remove = connection.use((session) => {
      const round = this.#enter(session);
      this.#model.reset();
      round.wait = this.#began ? session.jitter * RETURN : 0;
      this.#began = true;
      return this.#run(round);
    });
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
  refresh(within = 0) {
    this.#later("refresh", within);
  }

  /** Asks again and again while the page is seen. */
  #look(ms) {
    const { signal } = this.#ending;
    const look = () => document.visibilityState === "visible" && this.refresh();
    const timer = setInterval(look, ms);
    signal.addEventListener("abort", () => clearInterval(timer));
    document.addEventListener("visibilitychange", look, { signal });
  }

  #enter(session) {
    return (this.#round = {
      session,
      topics: new Map(),
      soon: new Set(),
      held: [],
      stale: -Infinity,
    });
  }

  #leave() {
    const round = this.#round;
    this.#round = null;
    round?.topics.forEach((confirmed) =>
      confirmed.then(
        (end) => end(),
        () => {},
      ),
    );
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
        if (!this.#is(round)) break;
        round.again = true;
        if (error.uri === "wamp.error.not_authorized" || this.#options.failed?.(error) === false) {
          this.#leave();
          this.#options.refused(error);
        } else {
          // fragments of a page wait the same time, to ask together again
          await pause(delay(failures++, 500, 5000, round.session.jitter));
        }
      }
    }
    round.busy = false;
  }

  async #listen(round) {
    await this.#subscribe(
      round,
      typeof this.#topics === "function" ? await this.#topics(round.session) : this.#topics,
    );
    round.listens = true;
    const lost = round.session.subscribe(WORKER_LOST, () =>
      this.#later("worker", round.session.jitter * WORKER),
    );
    round.topics.set(WORKER_LOST, lost);
    lost.catch(() => {}); // there is no engine
  }

  #subscribe(round, topics) {
    const fresh = [topics].flat().filter((topic) => this.#is(round) && !round.topics.has(topic));
    return Promise.all(
      fresh.map(async (topic) => {
        const confirmed = round.session.subscribe(topic, (_, where, { args, kwargs }) =>
          this.#hear(round, this.#options.unpack(args, where, kwargs)),
        );
        round.topics.set(topic, confirmed);
        await confirmed.catch((error) => {
          round.topics.delete(topic);
          throw error;
        });
      }),
    );
  }

  /** Asks until the answers name no topic that is not listened to yet, and bring nothing new. */
  async #settle(round) {
    for (let more = true; more;) {
      let answer;
      round.held ??= [];
      try {
        answer = await this.#options.ask(round.session, this.#model.since);
        if (!this.#is(round)) return;
        this.#model.take(answer.state, this.#number(answer), true);
      } finally {
        const { held } = round;
        round.held = null;
        if (this.#is(round)) held.forEach((state) => this.#take(state));
      }
      const known = round.topics.size;
      await this.#subscribe(round, answer.topics ?? []);
      more = answer.more || round.topics.size > known;
    }
  }

  /** Calls the first topic; for a log, what holds its history. */
  async #ask(session, since) {
    const [topic] = this.#round.topics.keys();
    if (this.#options.kind === "log") {
      const state = await session.call(this.#options.history ?? topic, [], { kwargs: { since } });
      return { state, more: since !== null && state.length }; // a history may answer with as much as it likes at a time
    }
    const {
      args: [state, number],
    } = await session.call(topic, [], { full: true });
    return { state, number };
  }

  #hear(round, event) {
    if (this.#round !== round) return;
    const number = this.#number(event);
    if (this.#options.stale(event.state)) {
      round.stale = Math.max(round.stale, number ?? Infinity);
      this.#later(
        "stale",
        STALE * (1 + round.session.jitter),
        () => !(this.#model.seen >= round.stale),
      );
    } else if (round.held && number === undefined) {
      // nothing says whether it is newer than the answer on its way
      round.held.push(event.state);
    } else {
      this.#take(event.state, number);
    }
  }

  #take(state, number) {
    this.#model.take(state, number);
    if (this.#model.hole) this.#later("hole", HOLE, () => this.#model.hole);
  }

  #number({ state, number }) {
    const { kind, version } = this.#options;
    if (typeof number === "number") return number;
    if (version && kind === "value" && state) return version(state);
    if (!version && kind !== "log" && state && !this.#warned) {
      this.#warned = true;
      console.warn("Live states without numbers:", this.#topics);
    }
    return undefined;
  }

  /** Asks after `ms`, if it is still needed; once for however many reasons of a kind. */
  async #later(why, ms, isNeeded = () => true) {
    const round = this.#round;
    if (!round || round.soon.has(why)) return;
    round.soon.add(why);
    if (ms) await pause(ms);
    round.soon.delete(why);
    if (this.#is(round) && isNeeded()) this.#run(round);
  }
}
