/**
 * The topics that one session hears. However many users a topic has in this page, the router sees one subscription.
 */
import { attempt } from "./errors.js";
import { SUBSCRIBE, UNSUBSCRIBE, payload } from "./messages.js";

export class Subscriber {
  #session;
  #topics = new Map();
  #ids = new Map();
  #turns = new Map();

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.#session = session;
  }

  /**
   * Calls `handler(payload, topic, {args, kwargs, details})` for each event: the first argument or else the keywords, and where it was
   * published. `match`: exact, prefix or wildcard; a topic with an empty component (`monitor.presence.`) is a wildcard.
   * @returns {Promise<() => Promise<void>>} once it is confirmed; the function ends it
   */
  async subscribe(topic, handler, { match = topic.split(".").includes("") ? "wildcard" : "exact", timeout, signal, ...options } = {}) {
    const key = `${match} ${topic}`;
    const user = { handler };
    await this.#inTurn(key, async () => {
      if (!this.#topics.has(key)) {
        const [, , id] = await this.#session.request(SUBSCRIBE, [{ match, ...options }, topic], { timeout, signal });
        const found = { id, topic, users: new Set() };
        this.#topics.set(key, found);
        this.#ids.set(id, found);
      }
      this.#topics.get(key).users.add(user);
    });
    return () => {
      user.handler = () => {};
      return this.#inTurn(key, () => this.#remove(key, user)).catch(() => {}); // without a session nothing is heard either
    };
  }

  /** For the session: an event has come. One of a subscription that is just being ended has no users left. */
  deliver([, id, , details, args, kwargs]) {
    const found = this.#ids.get(id);
    for (const { handler } of [...(found?.users ?? [])]) {
      attempt(() => handler(payload(args, kwargs), details.topic ?? found.topic, { ...payload(args, kwargs, true), details }));
    }
  }

  async #remove(key, user) {
    const found = this.#topics.get(key);
    found.users.delete(user);
    if (found.users.size || this.#topics.get(key) !== found) return;
    this.#topics.delete(key);
    this.#ids.delete(found.id);
    await this.#session.request(UNSUBSCRIBE, [found.id]);
  }

  /** One after another for each topic: an UNSUBSCRIBE must not overtake the SUBSCRIBE that follows it. */
  #inTurn(key, task) {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(task);
    this.#turns.set(key, turn.catch(() => {}));
    return turn;
  }
}
