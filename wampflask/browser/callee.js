/** The procedures that one session answers for. */
import { CANCELED, NO_SUCH_PROCEDURE, RUNTIME_ERROR } from "./uris.js";
import { WampError } from "./errors.js";
import { ERROR, INVOCATION, REGISTER, UNREGISTER, YIELD, carrying } from "./messages.js";

export class Callee {
  #session;
  #procedures = new Map();
  #running = new Map();

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.#session = session;
  }

  /**
   * Answers calls of `procedure` with what `handler(args, {kwargs, progress, signal, details, procedure})` returns or resolves to.
   * `progress(value)` sends a part of the result beforehand, if the caller wants any; `signal` aborts when the call is cancelled.
   * A `WampError` that it throws goes to the caller as it is, any other with its message alone.
   * @returns {Promise<() => Promise<void>>} once it is confirmed; the function ends it
   */
  async register(procedure, handler, { timeout, signal, ...options } = {}) {
    const [, , id] = await this.#session.request(REGISTER, [options, procedure], { timeout, signal });
    this.#procedures.set(id, { procedure, handler });
    return async () => {
      try {
        await this.#session.request(UNREGISTER, [id]);
      } catch { /* without a session nobody can call it either */ }
      this.#procedures.delete(id);
    };
  }

  /** For the session: somebody calls. */
  async invoke([, id, registration, details, args = [], kwargs = {}]) {
    const control = new AbortController();
    const send = (message) => this.#running.has(id) && this.#session.send(message);
    const answer = (message) => {
      send(message); // throws for what is not JSON, and then the error is the answer
      this.#running.delete(id);
    };
    const fail = (error) => {
      const { uri = RUNTIME_ERROR, args: list = [String(error?.message ?? error)], kwargs: dict } = error ?? {};
      answer([ERROR, INVOCATION, id, {}, uri, ...carrying(list, dict)]);
    };
    this.#running.set(id, { control, fail });
    const progress = (value) => { if (details.receive_progress) send([YIELD, id, { progress: true }, [value ?? null]]); };
    try {
      const found = this.#procedures.get(registration);
      if (!found) throw new WampError(NO_SUCH_PROCEDURE);
      const how = { kwargs, progress, signal: control.signal, details, procedure: details.procedure ?? found.procedure };
      answer([YIELD, id, {}, [(await found.handler(args, how)) ?? null]]);
    } catch (error) {
      try {
        fail(error);
      } catch (unsendable) {
        fail(unsendable);
      }
    }
  }

  /** For the session: the call is cancelled. The caller hears so at once, whatever the handler still does. */
  interrupt([, id, { mode }]) {
    const running = this.#running.get(id);
    if (!running) return; // it was answered meanwhile
    const reason = new WampError(CANCELED);
    if (mode === "killnowait") this.#running.delete(id); // the router has forgotten the call already
    else running.fail(reason);
    running.control.abort(reason);
  }

  /** For the session: it has ended. */
  close(reason) {
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const { control } of running) control.abort(reason);
  }
}
