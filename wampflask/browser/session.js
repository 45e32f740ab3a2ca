/**
 * One joined WAMP session: it lives exactly as long as one socket, and everything that waits for it fails when it ends.
 *
 * Basic and advanced profile over JSON in all four roles: ticket authentication, progressive results and cancelling both ways,
 * acknowledged publication, pattern-based subscriptions and registrations.
 */
import { callee } from "./callee.js";
import { ConnectionLost, TimedOut, WampError, attempt } from "./errors.js";
import * as wamp from "./messages.js";
import { HEARTBEAT } from "./uris.js";
import { subscriber } from "./subscriber.js";

const FEATURES = {
  features: {
    progressive_call_results: true,
    call_canceling: true,
    subscription_revocation: true,
    registration_revocation: true,
  },
};
const ROLES = { caller: FEATURES, callee: FEATURES, publisher: FEATURES, subscriber: FEATURES };

export class Session {
  #socket;
  #ticket;
  #last = 0;
  #requests = new Map();
  #subscriber = subscriber(this);
  #callee = callee(this);
  #welcome;
  #end;
  #welcomed = new Promise((resolve) => {
    this.#welcome = resolve;
  });

  subscribe = this.#subscriber.subscribe;
  register = this.#callee.register;

  /** Resolves with the reason, once, when the session has ended for whatever cause. @type {Promise<Error>} */
  ended = new Promise((resolve) => {
    this.#end = resolve;
  });
  alive = true;
  /** Of the session, from WELCOME on. @type {number | null} */
  id = null;
  /** What WELCOME said: authid, authrole and more. @type {Record<string, any>} */
  details = {};
  /** performance.now() of the last message that came in. */
  heard = performance.now();
  /** This page's place among all, from 0 to 1: what many pages would do at once is spread by it. */
  jitter = Math.random();

  /**
   * @param {{url: string, realm: string}} where
   * @param {() => Promise<string>} ticket  asked when the router asks; it says who we are
   * @param {(url: string) => WebSocket} [open]
   */
  constructor({ url, realm }, ticket, open = (address) => new WebSocket(address, "wamp.2.json")) {
    this.#ticket = ticket;
    const socket = (this.#socket = open(url));
    socket.onopen = () =>
      this.send([wamp.HELLO, realm, { roles: ROLES, authmethods: ["ticket"], authid: "page" }]);
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => this.close(new ConnectionLost("connection closed"));
  }

  /** Resolves when the router has welcomed us. @param {number} [timeout] milliseconds */
  async join(timeout = 10_000) {
    const timer = setTimeout(() => this.close(new TimedOut("not welcome")), timeout);
    const end = await Promise.race([this.ended, this.#welcomed]);
    clearTimeout(timer);
    if (end) throw end;
    return this;
  }

  /**
   * Calls a procedure, and returns its result: the first argument, or the keywords when there is none. With `full`, both.
   * @param {string} procedure  @param {any[]} [args]
   * @param {{kwargs?: object, timeout?: number, signal?: AbortSignal, onProgress?: (payload: any) => void, full?: boolean}} [how]
   *   `timeout` in milliseconds, since the call or its last progressive result; it and `signal` cancel the call on the far side.
   *   Anything else is a WAMP option.
   */
  async call(procedure, args, { kwargs, onProgress, full, timeout, signal, ...options } = {}) {
    if (onProgress) options.receive_progress = true;
    const read = ([, , , list, dict]) => wamp.payload(list, dict, full);
    const progress = onProgress && ((message) => onProgress(read(message)));
    return read(
      await this.request(wamp.CALL, [options, procedure, ...wamp.carrying(args, kwargs)], {
        timeout,
        signal,
        progress,
      }),
    );
  }

  /**
   * Publishes an event; resolves when the router has taken it, or with `acknowledge: false` at once.
   * @param {string} topic  @param {any[]} [args]
   * @param {{kwargs?: object, acknowledge?: boolean, timeout?: number, signal?: AbortSignal}} [how]  anything else is a WAMP option
   */
  async publish(topic, args, { kwargs, acknowledge = true, timeout, signal, ...options } = {}) {
    await this.request(
      wamp.PUBLISH,
      [{ acknowledge, ...options }, topic, ...wamp.carrying(args, kwargs)],
      { timeout, signal, unanswered: !acknowledge },
    );
  }

  /** Is anybody there? Any answer will do, also a refusal; silence ends the session. @param {number} [timeout] milliseconds */
  async probe(timeout = 5000) {
    try {
      await this.call(HEARTBEAT, [], { timeout });
    } catch (error) {
      if (error instanceof TimedOut) this.close(new ConnectionLost("no heartbeat"));
    }
  }

  /** Ends the session now: nobody waits for a far side that may be gone. */
  close(reason = new ConnectionLost(), farewell = [wamp.GOODBYE, {}, "wamp.close.close_realm"]) {
    if (!this.alive) return;
    const socket = this.#socket;
    if (socket.readyState === 1 && (this.id || farewell[0] === wamp.ABORT)) this.send(farewell);
    this.alive = false;
    for (const { reject } of this.#requests.values()) reject(reason);
    this.#callee.close(reason);
    this.#end(reason);
    // a socket that is still connecting is left to open first: browsers warn of one that is closed before
    if (socket.readyState) socket.close();
    else socket.onopen = () => socket.close();
  }

  /** Sends a message; for the roles of this session. */
  send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  /** Sends a request and resolves with the message that answers it; for the roles of this session. @returns {Promise<any[]>} */
  async request(
    type,
    rest,
    { timeout = 10_000, signal = undefined, progress = undefined, unanswered = false } = {},
  ) {
    signal?.throwIfAborted();
    if (!this.id || !this.alive) throw new ConnectionLost();
    const id = this.#last + 1;
    this.send([type, id, ...rest]);
    this.#last = id;
    if (unanswered) return [];
    let timer;
    let abort;
    const answer = new Promise((resolve, reject) => {
      const giveUp = (reason) => {
        // the request stays known until its answer comes, which then means nothing any more
        reject(reason);
        request.progress = request.arm = () => {};
        if (type === wamp.CALL) this.send([wamp.CANCEL, id, { mode: "kill" }]);
      };
      const arm = () => {
        clearTimeout(timer);
        if (timeout < Infinity)
          timer = setTimeout(() => giveUp(new TimedOut(`${rest[1]}: no answer`)), timeout);
      };
      const request = { type, resolve, reject, progress, arm };
      abort = () => giveUp(signal.reason);
      signal?.addEventListener("abort", abort);
      arm();
      this.#requests.set(id, request);
    });
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  #receive(data) {
    if (!this.alive) return;
    this.heard = performance.now();
    try {
      this.#handle(wamp.parse(data));
    } catch {
      const error = new WampError("wamp.error.protocol_violation", [
        `Unexpected: ${String(data).slice(0, 100)}`,
      ]);
      this.close(error, [wamp.ABORT, {}, error.uri]);
    }
  }

  #handle(message) {
    const [type, first, second] = message;
    wamp.check(type === wamp.ABORT || type < wamp.GOODBYE !== Boolean(this.id));
    if (type === wamp.WELCOME) {
      this.id = first;
      this.details = second;
      this.#welcome();
    } else if (type === wamp.CHALLENGE) {
      wamp.check(first === "ticket");
      this.#ticket()
        .then((ticket) => this.alive && this.send([wamp.AUTHENTICATE, ticket, {}]))
        .catch((error) => this.close(error));
    } else if (type < wamp.ERROR) {
      const { message: text } = first;
      this.close(new WampError(second, text === undefined ? [] : [text], first), [
        wamp.GOODBYE,
        {},
        "wamp.close.goodbye_and_out",
      ]);
    } else if (type === wamp.EVENT) {
      this.#subscriber.deliver(message);
    } else if (type === wamp.INVOCATION) {
      this.#callee.invoke(message);
    } else if (type === wamp.INTERRUPT) {
      this.#callee.interrupt(message);
    } else {
      this.#answer(message);
    }
  }

  #answer(message) {
    const [type, id, details] = message;
    const [asked, number] =
      type === wamp.ERROR ? [id, details] : [type === wamp.RESULT ? wamp.CALL : type - 1, id];
    const request = this.#requests.get(number);
    if (!number) {
      // the router takes back what it had granted; what may be had again is had again in the next session
      return this.close(new ConnectionLost("revoked"));
    }
    wamp.check(request?.type === asked);
    if (type === wamp.RESULT && details.progress) {
      request.arm();
      attempt(() => request.progress?.(message));
    } else {
      this.#requests.delete(number);
      if (type === wamp.ERROR) request.reject(new WampError(...message.slice(4)));
      else request.resolve(message);
    }
  }
}
