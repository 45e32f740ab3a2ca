/**
 * Keeps one session open: after any kind of end (ABORT, GOODBYE, FIN, a failed first try) it waits with jitter, fetches a
 * fresh ticket, joins again, and runs every user again. It never gives up, except when the site says that this person is blocked.
 *
 * States: "stopped" (also before the first use), "connecting", "open", "waiting" (for the next try). Each change fires "change".
 * A user that the router refuses something fires "failure", with the error as `detail`.
 */
import { delay, pause } from "./backoff.js";
import { ConnectionLost, TimedOut } from "./errors.js";
import { keepAlive } from "./heartbeat.js";
import { BLOCKED, REFRESH } from "./uris.js";

const STEADY = 10_000; // ms a session must have lasted for its loss to count as the first failure
const PATIENCE = 3000; // ms that a call waits for a session, and for a callee that is not there yet
const FIRST = 10_000; // ms that it waits for the page's first session
const ASK_AGAIN = 8; // failures after which the router may have moved
const LONGEST = 2 ** 31 - 1; // ms of a timer

export class Connection extends EventTarget {
  #effects;
  #users = new Set();
  #run = null;
  #step = null;
  #where = null;
  #soon = false;
  #ended = false;
  #joined = false;
  #unblock = null;

  /** @type {"stopped" | "connecting" | "open" | "waiting"} */
  state = "stopped";
  /** Date.now() of the last change of state. */
  since = Date.now();
  /** @type {import("./session.js").Session | null} */
  session = null;
  /** Shown with each request for a ticket. @type {Map<string, string>} */
  proofs = new Map();
  /** Why the last session, or the last try, ended. @type {Error | null} */
  reason = null;

  /** @param {{ticket: (signal: AbortSignal, proofs: string[]) => Promise<any>, open: (where: any, ticket: () => Promise<string>) => any}} effects */
  constructor(effects) {
    super();
    this.#effects = effects;
  }

  /** Starts connecting; does nothing when it already runs. Every use of the connection starts it, unless it was stopped. */
  start() {
    this.#ended = false;
    clearTimeout(this.#unblock);
    if (!this.#run) this.#loop((this.#run = {}));
  }

  /** Closes the session and stops trying, until start() or reconnect(). */
  stop() {
    this.#run = null;
    this.#ended = true;
    clearTimeout(this.#unblock);
    this.#step?.control.abort();
    this.#set("stopped");
  }

  /** Begins a new session at once, with a new ticket: after a log-in or log-out without a new page. */
  reconnect() {
    this.#soon = this.#run !== null;
    this.#where = null;
    this.#step?.control.abort();
    this.start();
  }

  /** The page woke up or the network is back: try now, and do not trust a socket that may have died meanwhile. */
  wake() {
    if (this.session) this.session.probe(3000);
    else if (this.state === "waiting" || performance.now() - this.#step?.since > 2000)
      this.#step.control.abort();
  }

  /** Runs `user(session)` now and after each reconnect. @returns {() => void} remove */
  use(user) {
    this.#users.add(user);
    if (this.session) this.#serve(user, this.session);
    if (!this.#ended) this.start();
    return () => this.#users.delete(user);
  }

  /**
   * Session.call, with patience: after a restart of the router pages are back a little earlier than the site's workers. A call that
   * found no session or no callee has never run, so asking again is safe. `patience: 0` fails at once.
   */
  call = async (procedure, args, { patience = PATIENCE, ...how } = {}) => {
    const until = performance.now() + patience;
    for (;;) {
      const session = await this.#ready(until - performance.now(), how.signal);
      try {
        return await session.call(procedure, args, how);
      } catch (error) {
        if (error.uri !== "wamp.error.no_such_procedure" || performance.now() >= until) throw error;
        await pause(200, how.signal);
      }
    }
  };

  /** Session.publish, with patience for a session. */
  publish = async (topic, args, { patience = PATIENCE, ...how } = {}) =>
    (await this.#ready(patience, how.signal)).publish(topic, args, how);

  /** Session.subscribe, in this session and each that follows. @returns a function that ends it; its `ready` resolves once it is confirmed */
  subscribe = (topic, handler, { refused, ...how } = {}) =>
    this.#keep((session) => session.subscribe(topic, handler, how), refused);

  /** Session.register, in this session and each that follows. A name that is taken is tried again: an old session of this page may have it. */
  register = (procedure, handler, { refused, ...how } = {}) =>
    this.#keep(async (session, isStopped) => {
      for (;;) {
        try {
          return await session.register(procedure, handler, how);
        } catch (error) {
          if (error.uri !== "wamp.error.procedure_already_exists" || isStopped()) throw error;
          await pause(1000);
        }
      }
    }, refused);

  /** Something that was asked for cannot be had: for the page's reader to see. */
  fail(error) {
    this.dispatchEvent(new CustomEvent("failure", { detail: error }));
  }

  #keep(
    begin,
    refused = (error) => {
      throw error;
    },
  ) {
    let end = null;
    let stopped = false;
    let settle;
    const ready = new Promise((...how) => {
      settle = how;
    });
    ready.catch(() => {}); // who does not look at it hears of it by "failure"
    const remove = this.use(async (session) => {
      end = null;
      try {
        const undo = await begin(session, () => stopped);
        if (stopped) undo();
        else end = undo;
        settle[0]();
      } catch (error) {
        if (session.alive && !stopped) {
          settle[1](error);
          refused(error);
        }
      }
    });
    return Object.assign(
      () => {
        stopped = true;
        remove();
        return end?.();
      },
      { ready },
    );
  }

  async #ready(patience, signal) {
    if (!this.#ended) this.start();
    const until = performance.now() + (patience && !this.#joined ? FIRST : patience);
    for (;;) {
      signal?.throwIfAborted();
      if (this.session) return this.session;
      const left = until - performance.now();
      if (this.#ended || !(left > 0)) throw new ConnectionLost();
      await Promise.race([
        pause(left, signal),
        new Promise((resolve) => {
          this.addEventListener("change", resolve, { once: true });
        }),
      ]);
    }
  }

  async #loop(run) {
    for (let failures = 0; this.#run === run; failures += 1) {
      const lasted = await this.#once(failures);
      if (this.#run !== run) return;
      if (this.reason.uri === BLOCKED) return this.#block(this.reason.kwargs.until);
      if (this.#soon || lasted > STEADY) failures = 0;
      if (!this.#soon && !(this.reason.uri === REFRESH && lasted > 1000))
        await pause(delay(failures), this.#enter("waiting"));
      this.#soon = false;
    }
  }

  /** One session from ticket to end. @returns {Promise<number>} milliseconds it was open */
  async #once(failures) {
    const signal = this.#enter("connecting");
    let session;
    try {
      session = await this.#knock(signal, failures);
      signal.throwIfAborted();
      signal.addEventListener("abort", () => session.close());
      await session.join();
    } catch (error) {
      session?.close(error);
      this.reason = error;
      return 0;
    }
    const since = performance.now();
    if (session.alive) this.#open(session);
    const stopBeating = keepAlive(session);
    this.reason = await session.ended;
    stopBeating();
    this.session = null;
    return performance.now() - since;
  }

  /** A router that is down costs the site nothing: only one that answers is worth a new ticket, once we know where it is. */
  async #knock(signal, failures) {
    const ask = () => this.#effects.ticket(signal, [...this.proofs.values()]);
    const fresh = failures % ASK_AGAIN && this.#where ? null : await ask();
    this.#where = fresh ?? this.#where;
    return this.#effects.open(this.#where, async () => (fresh ?? (await ask())).ticket);
  }

  #open(session) {
    this.session = session;
    this.#joined = true;
    this.#set("open");
    for (const user of [...this.#users]) this.#serve(user, session);
  }

  /** A user that fails because the session went away is run again with the next one; only other failures are news. */
  async #serve(user, session) {
    try {
      await user(session);
    } catch (error) {
      if (error instanceof TimedOut) session.close(error);
      if (session.alive) this.fail(error);
    }
  }

  /** Blocked: the page shows it, and tries again when the block ends, if it does. */
  #block(until) {
    this.stop();
    const ms = (until > 0 ? until * 1000 : Date.parse(until)) - Date.now() + delay(3);
    if (ms > -Infinity) this.#unblock = setTimeout(() => this.start(), Math.min(ms, LONGEST));
  }

  /** The signal ends what this state waits for. */
  #enter(state) {
    const control = new AbortController();
    this.#step = { control, since: performance.now() };
    this.#set(state);
    return control.signal;
  }

  #set(state) {
    if (this.state === state) return;
    this.state = state;
    this.since = Date.now();
    this.dispatchEvent(new Event("change"));
  }
}
