/**
 * Marks the rooms with messages that this person has not read; the rooms themselves are fragments.
 *
 * <span data-room="label" data-last="17"> <span data-part="new" hidden>
 */
import { partsOf, setLine } from "../dom.js";
import { readUpTo } from "./unread.js";

export function connect(list) {
  const mark = () => {
    for (const item of list.querySelectorAll("[data-room]")) {
      const read = readUpTo(item.dataset.room);
      const missed = read ? Number(item.dataset.last) - read : 0;
      setLine(partsOf(item)("new"), missed > 0 ? `${missed} new` : "");
    }
  };
  list.addEventListener("live-change", mark);
  mark();
  return () => list.removeEventListener("live-change", mark);
}
