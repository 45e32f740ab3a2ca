/**
 * One joined session: it lives exactly as long as one socket, and everything that waits for it fails when it ends.
 *
 * Wampy underneath reconnects by itself only after some kinds of close, leaves connect() hanging when the socket closes between
 * HELLO and WELCOME, forgets a callback when one topic is subscribed twice at once, and queues what is sent without a session.
 * So its reconnection is off, every wait here is bounded, and there is one Wampy subscription a topic.
 */
import "../../vendor/wampy.min.js";
import { pause } from "./backoff.js";
import { ConnectionLost, TimedOut } from "./errors.js";

/** A socket that is still connecting is left to open first: browsers warn of one that is closed before. */
function hangUp(socket) {
  if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
  else socket?.close();
}

const WILDCARD = /^[0-9a-z_]+(\.[0-9a-z_]*)+$/;
const matching = (topic) => (topic.split(".").includes("") ? { match: "wildcard" } : undefined);

export class Session {
  #wampy;
  #waiting = new Set();
  #topics = new Map();
  #chains = new Map();
  #end;

  /** Resolves with the reason, once, when the session has ended for whatever cause. */
  ended = new Promise((resolve) => { this.#end = resolve; });
  alive = true;
  /** performance.now() of the last message that came in. */
  heard = performance.now();

  /** @param {{url: string, realm: string}} where  @param {() => Promise<string>} ticket asked when the router asks; it says who we are */
  constructor({ url, realm }, ticket) {
    this.#wampy = new globalThis.Wampy(url, {
      realm, authid: "page", authmethods: ["ticket"], onChallenge: ticket, autoReconnect: false,
      onClose: () => this.close(new ConnectionLost("the router closed the connection")),
      onError: (error) => this.close(error),
    });
    const plain = this.#wampy._validateURI.bind(this.#wampy); // it takes no wildcard that ends with its empty component
    this.#wampy._validateURI = (uri, isPattern, ...more) => (isPattern ? WILDCARD.test(uri) : plain(uri, isPattern, ...more));
  }

  /** Connects and joins, within `timeout` milliseconds. */
  async join(timeout = 10_000) {
    try {
      await this.#within(this.#wampy.connect(), timeout, "join");
    } catch (error) {
      this.close(error);
      throw error;
    }
    return this;
  }

  /**
   * @returns {Promise<any>} the result. `timeout` in milliseconds; kept here, because routers disagree on its unit.
   * `patience`: how many milliseconds a callee that is not there may take to come. Such a call has never run, so asking again is safe.
   */
  async call(procedure, args = [], { kwargs, timeout = 10_000, patience = 0 } = {}) {
    const until = performance.now() + patience;
    for (;;) {
      try {
        return await this.#call(procedure, args, kwargs, timeout);
      } catch (error) {
        if (error.errorUri !== "wamp.error.no_such_procedure" || performance.now() >= until) throw error;
        await pause(200);
      }
    }
  }

  async #call(procedure, args, kwargs, timeout) {
    const sent = this.#wampy.call(procedure, { argsList: args, argsDict: kwargs });
    const { argsList, argsDict } = await this.#within(sent, timeout, procedure);
    return argsList?.length ? argsList[0] : argsDict;
  }

  /** Resolves when the router has taken the event. */
  async publish(topic, args = [], { kwargs, timeout = 10_000 } = {}) {
    await this.#within(this.#wampy.publish(topic, { argsList: args, argsDict: kwargs }), timeout, topic);
  }

  /**
   * `handler(payload, topic)` for each event: the first argument, or the keywords when there is none, and where it was published.
   * A topic with an empty component (`monitor.presence.`) is a wildcard.
   */
  subscribe(topic, handler, timeout = 10_000) {
    return this.#inTurn(topic, async () => {
      const handlers = this.#topics.get(topic);
      if (handlers) return void handlers.add(handler);
      const first = new Set([handler]);
      const deliver = (event) => this.#deliver(topic, event);
      this.#topics.set(topic, first);
      try {
        await this.#within(this.#wampy.subscribe(topic, deliver, matching(topic)), timeout, topic);
      } catch (error) {
        this.#topics.delete(topic);
        throw error;
      }
    });
  }

  unsubscribe(topic, handler, timeout = 10_000) {
    return this.#inTurn(topic, async () => {
      const handlers = this.#topics.get(topic);
      if (!handlers?.delete(handler) || handlers.size || !this.alive) return;
      this.#topics.delete(topic);
      const options = matching(topic); // Wampy's key of a subscription has them in it
      await this.#within(this.#wampy.unsubscribe(options ? `${topic}-${JSON.stringify(options)}` : topic), timeout, topic);
    });
  }

  /**
   * Answers calls of `procedure` with what `handler(...args)` returns or resolves to, as long as this session lasts: a user of the
   * connection registers again with each. What it throws goes to the caller: `error.uri`, if there is one, and the message.
   */
  async register(procedure, handler, timeout = 10_000) {
    const answer = async ({ argsList }) => {
      this.heard = performance.now();
      try {
        return { argsList: [(await handler(...(argsList ?? []))) ?? null] };
      } catch (error) {
        throw { error: error.uri ?? "wamp.error.runtime_error", argsList: [error.message] };
      }
    };
    await this.#within(this.#wampy.register(procedure, answer), timeout, procedure);
  }

  /** Is anybody there? Any answer will do, also a refusal; silence ends the session. */
  async probe(timeout = 5000) {
    try {
      await this.call("wampflask.heartbeat", [], { timeout });
    } catch (error) {
      if (error instanceof TimedOut) this.close(new ConnectionLost("the router does not answer"));
    }
  }

  /** Ends the session now: nobody waits for a far side that may be gone. */
  close(reason = new ConnectionLost("closed by the page")) {
    if (!this.alive) return;
    this.alive = false;
    for (const fail of [...this.#waiting]) fail(reason);
    this.#end(reason);
    this.#topics.clear();
    if (this.#wampy.getSessionId()) this.#wampy.disconnect().catch(() => {});
    hangUp(this.#wampy._ws); // Wampy's abort() would throw when it has dropped its socket already
  }

  #deliver(topic, { details, argsList, argsDict }) {
    this.heard = performance.now();
    for (const handler of [...(this.#topics.get(topic) ?? [])]) {
      try {
        handler(argsList?.length ? argsList[0] : argsDict, details?.topic ?? topic);
      } catch (error) {
        reportError(error);
      }
    }
  }

  /** One after another for each topic: an UNSUBSCRIBE must not overtake the SUBSCRIBE that follows it. */
  #inTurn(topic, task) {
    const turn = (this.#chains.get(topic) ?? Promise.resolve()).then(task);
    this.#chains.set(topic, turn.catch(() => {}));
    return turn;
  }

  #within(promise, ms, what) {
    return new Promise((resolve, reject) => {
      if (!this.alive) return reject(new ConnectionLost("the session has ended"));
      const settle = (how) => (value) => {
        clearTimeout(timer);
        this.#waiting.delete(fail);
        how(value);
      };
      const fail = settle(reject);
      const timer = setTimeout(() => fail(new TimedOut(`no answer to ${what} within ${ms} ms`)), ms);
      this.#waiting.add(fail);
      promise.then((value) => {
        this.heard = performance.now();
        settle(resolve)(value);
      }, (error) => {
        this.heard = performance.now();
        if (error.name === "WebsocketError") this.close(new ConnectionLost("the socket closed")); // Wampy says so only later
        fail(error);
      });
    });
  }
}
