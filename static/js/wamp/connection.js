/**
 * Keeps one session open for ever: after any kind of end (ABORT, GOODBYE, FIN, a failed first try) it waits with jitter, fetches a
 * fresh ticket, joins again, and runs every user again. It never gives up.
 *
 * States: "idle" (not started), "connecting", "ready", "lost" (waiting for the next try). Each change fires "change".
 * Everything with an effect is passed in, so that a test can do without a browser.
 */
import { delay, pause } from "./backoff.js";
import { ConnectionLost, TimedOut } from "./errors.js";
import { keepAlive } from "./heartbeat.js";

const STEADY = 10_000; // ms a session must have lasted for its loss to count as the first failure
const PATIENCE = 3000; // ms
const ASK_AGAIN = 8; // failures after which the router may have moved

export class Connection extends EventTarget {
  #ticket;
  #open;
  #backoff;
  #users = new Set();
  #run = null;
  #attempt = null;
  #hurry = null;
  #where = null;

  state = "idle";
  session = null;
  /** Shown with each request for a ticket. */
  proofs = new Map();
  /** Why the last session, or the last try, ended. */
  reason = null;

  /** @param {{ticket: (AbortSignal) => Promise, open: (where, ticket) => Session, backoff?: object}} effects */
  constructor({ ticket, open, backoff = {} }) {
    super();
    this.#ticket = ticket;
    this.#open = open;
    this.#backoff = backoff;
  }

  /** Starts connecting; does nothing when it already runs. */
  start() {
    if (this.#run) return;
    this.#run = new AbortController();
    this.#loop(this.#run.signal);
  }

  /** Closes the session and stops trying, until start(). */
  stop() {
    this.#run?.abort();
    this.#run = null;
    this.#attempt?.abort();
    this.session?.close();
    this.#set("idle");
  }

  /** The page woke up or the network is back: try now, and do not trust a socket that may have died meanwhile. */
  wake() {
    if (this.session) this.session.probe(3000);
    else if (this.#attempt && performance.now() - this.#attempt.since > 2000) this.#attempt.abort();
    this.#hurry?.abort();
  }

  /** Runs `user(session)` now and after each reconnect. @returns {() => void} remove */
  use(user) {
    this.#users.add(user);
    if (this.session) this.#serve(user, this.session);
    return () => this.#users.delete(user);
  }

  /**
   * Session.call, with patience: after a restart of the router pages are back a little earlier than the site's workers.
   * @returns {Promise<any>} rejects with ConnectionLost at once when there is no session.
   */
  async call(procedure, args, options) {
    if (!this.session) throw new ConnectionLost("not connected");
    return this.session.call(procedure, args, { patience: PATIENCE, ...options });
  }

  async #loop(signal) {
    for (let failures = 0; !signal.aborted; failures += 1) {
      const lasted = await this.#once(signal, failures);
      if (signal.aborted) return;
      if (lasted > STEADY) failures = 0;
      this.#hurry = new AbortController();
      this.#set("lost");
      await pause(delay(failures, this.#backoff), AbortSignal.any([signal, this.#hurry.signal]));
      this.#hurry = null;
    }
  }

  /** One session from ticket to end. @returns {Promise<number>} milliseconds it was ready */
  async #once(signal, failures) {
    const attempt = this.#attempt = Object.assign(new AbortController(), { since: performance.now() });
    this.#set("connecting");
    let session = null;
    try {
      session = await this.#knock(attempt.signal, failures);
      attempt.signal.addEventListener("abort", () => session.close());
      await session.join();
    } catch (error) {
      session?.close(error);
      this.reason = error;
      return 0;
    } finally {
      if (this.#attempt === attempt) this.#attempt = null;
    }
    return signal.aborted ? (session.close(), 0) : this.#hold(session);
  }

  /** A router that is down costs the site nothing: only one that answers is worth a new ticket, once we know where it is. */
  async #knock(signal, failures) {
    const fresh = failures % ASK_AGAIN && this.#where ? null : await this.#ticket(signal, [...this.proofs.values()]);
    if (fresh) this.#where = { url: fresh.url, realm: fresh.realm };
    return this.#open(this.#where, async () => (fresh ?? (await this.#ticket(signal, [...this.proofs.values()]))).ticket);
  }

  async #hold(session) {
    const since = performance.now();
    const stopBeating = keepAlive(session);
    this.session = session;
    this.#set("ready");
    for (const user of [...this.#users]) this.#serve(user, session);
    this.reason = await session.ended;
    stopBeating();
    this.session = null;
    return performance.now() - since;
  }

  /** A user that fails because the session went away is run again with the next one; only other failures are news. */
  async #serve(user, session) {
    try {
      await user(session);
    } catch (error) {
      if (error instanceof TimedOut) session.close(error);
      if (session.alive) this.dispatchEvent(new CustomEvent("failure", { detail: error }));
    }
  }

  #set(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}
