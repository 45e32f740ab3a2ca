/** The procedures that one session answers for. */
import { WampError } from "./errors.js";
import { ERROR, INVOCATION, REGISTER, UNREGISTER, YIELD, carrying } from "./messages.js";

/** @param {import("./session.js").Session} session */
export function callee(session) {
  const procedures = new Map();
  const running = new Map();

  return {
    /**
     * Answers calls of `procedure` with what `handler(args, {kwargs, progress, signal, details, procedure})` returns or resolves to.
     * `progress(value)` sends a part of the result beforehand, if the caller wants any; `signal` aborts when the call is cancelled.
     * `{session}` in the name is this session's id: what `wamp.to(session=…).call(…)` reaches. A `WampError` that it throws goes to the caller unchanged; of any other error, only the message.
     * @returns {Promise<() => Promise<void>>} once it is confirmed; the function ends it
     */
    async register(procedure, handler, { timeout, signal, ...options } = {}) {
      const [, , id] = await session.request(
        REGISTER,
        [options, procedure.replace("{session}", session.id)],
        { timeout, signal },
      );
      procedures.set(id, { procedure, handler });
      return async () => {
        await session.request(UNREGISTER, [id]).catch(() => {}); // without a session nobody can call it either
        procedures.delete(id);
      };
    },

    /** Somebody calls. */
    async invoke([, id, registration, details, args = [], kwargs = {}]) {
      const control = new AbortController();
      const send = (message) => running.has(id) && session.send(message);
      const answer = (message) => {
        send(message); // throws for what is not JSON, and then the error is the answer
        running.delete(id);
      };
      const fail = (error) => {
        const {
          uri = "wamp.error.runtime_error",
          args: list = [String(error?.message ?? error)],
          kwargs: dict,
        } = error ?? {};
        answer([ERROR, INVOCATION, id, {}, uri, ...carrying(list, dict)]);
      };
      running.set(id, { control, fail });
      const progress = (value) => {
        if (details.receive_progress) send([YIELD, id, { progress: true }, [value ?? null]]);
      };
      try {
        const found = procedures.get(registration);
        if (!found) throw new WampError("wamp.error.no_such_procedure");
        answer([
          YIELD,
          id,
          {},
          [
            (await found.handler(args, {
              kwargs,
              progress,
              signal: control.signal,
              procedure: found.procedure,
              details,
            })) ?? null,
          ],
        ]);
      } catch (error) {
        try {
          fail(error);
        } catch (unsendable) {
          fail(unsendable);
        }
      }
    },

    /** The call is cancelled. The caller hears so at once, whatever the handler still does. */
    interrupt([, id, { mode }]) {
      const found = running.get(id);
      if (!found) return; // it was answered meanwhile
      const reason = new WampError("wamp.error.canceled");
      if (mode === "killnowait")
        running.delete(id); // the router has forgotten the call already
      else found.fail(reason);
      found.control.abort(reason);
    },

    /** The session has ended. */
    close(reason) {
      const found = [...running.values()];
      running.clear();
      for (const { control } of found) control.abort(reason);
    },
  };
}
