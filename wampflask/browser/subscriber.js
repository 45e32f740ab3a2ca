/**
 * The topics that one session hears. However many users a topic has in this page, the router sees one subscription.
 */
import { attempt } from "./errors.js";
import { SUBSCRIBE, UNSUBSCRIBE, payload } from "./messages.js";

/** @param {import("./session.js").Session} session */
export function subscriber(session) {
  const topics = new Map();
  const ids = new Map();
  const turns = new Map();

  /** One after another for each topic: an UNSUBSCRIBE must not overtake the SUBSCRIBE that follows it. */
  const inTurn = (key, task) => {
    const turn = (turns.get(key) ?? Promise.resolve()).then(task);
    turns.set(
      key,
      turn.catch(() => {}),
    );
    return turn;
  };

  return {
    /**
     * Calls `handler(payload, topic, {args, kwargs, details})` for each event: the first argument or else the keywords, and where it was
     * published. `match`: exact, prefix or wildcard; a topic with an empty component (`monitor.presence.`) is a wildcard.
     * @returns {Promise<() => Promise<void>>} once it is confirmed; the function ends it
     */
    async subscribe(
      topic,
      handler,
      {
        match = topic.split(".").includes("") ? "wildcard" : "exact",
        timeout,
        signal,
        ...options
      } = {},
    ) {
      const key = `${match} ${topic}`;
      const user = { handler };
      await inTurn(key, async () => {
        if (!topics.has(key)) {
          const [, , id] = await session.request(SUBSCRIBE, [{ match, ...options }, topic], {
            timeout,
            signal,
          });
          topics.set(key, { id, topic, users: new Set() });
          ids.set(id, topics.get(key));
        }
        topics.get(key).users.add(user);
      });
      return () => {
        user.handler = () => {};
        return inTurn(key, async () => {
          const { id, users } = topics.get(key);
          if (!users.delete(user) || users.size) return;
          topics.delete(key);
          ids.delete(id);
          await session.request(UNSUBSCRIBE, [id]);
        }).catch(() => {}); // without a session nothing is heard either
      };
    },

    /** An event has come. One of a subscription that is just being ended has no users left. */
    deliver([, id, , details, args, kwargs]) {
      const found = ids.get(id);
      for (const { handler } of [...(found?.users ?? [])]) {
        attempt(() =>
          handler(payload(args, kwargs), details.topic ?? found.topic, {
            ...payload(args, kwargs, true),
            details,
          }),
        );
      }
    },
  };
}
