/**
 * Follows a room. Its topics end in a key, which `chat.enter` returns. A ban changes the key:
 * asking for the log under the former one is then refused with `chat.error.moved`.
 *
 * const leave = follow(label, since, {     // since: the change that the page was rendered with
 *   message: (message) => {},              // said, edited or deleted
 *   people: (people) => {},                // who is here, by authid
 *   typing: (person) => {},
 *   muted: ({seconds}) => {},              // we may not write for so long; 0: we may
 *   entered: ({me, moderator}) => {},
 *   refused: (error) => {},                // we may not be here
 * });
 */
import { live, presence, subscribe } from "wampflask";

const FINAL = ["chat.error.banned", "chat.error.not_found"];

export function follow(label, since, to) {
  const topic = (kind, last) => `chat.room.${label.replaceAll("-", "_")}.${kind}.${last}`;
  let key = null;
  let ends = [];
  let left = false;

  const leave = () => {
    ends.forEach((end) => end());
    ends = [];
    key = null;
  };
  const enter = async (session) => {
    const room = await session.call("chat.enter", [label]);
    if (room.key !== key && !left) {
      leave();
      key = room.key;
      const people = presence(topic("presence", key), to.people);
      const muted = live(topic("muted", session.details.authid.replace(":", "_")), to.muted);
      ends = [() => people.stop(), () => muted.stop(), subscribe(topic("typing", key), to.typing)];
    }
    to.entered(room);
    return topic("message", room.key);
  };
  const messages = live(enter, to.message, {
    kind: "log",
    since,
    gapless: true,
    id: ({ version }) => version,
    failed: ({ uri }) => (uri === "chat.error.moved" ? messages.restart() : !FINAL.includes(uri)),
    refused: (error) => {
      leave();
      to.refused(error);
    },
  });
  return () => {
    left = true;
    messages.stop();
    leave();
  };
}
