/**
 * Marks the rooms in which something was said since the reader last looked; the rooms themselves are fragments.
 *
 * <span data-room="label" data-last="17"> <span data-room-part="new" hidden>
 */
import { readUpTo } from "./unread.js";

export function connect(list) {
  const mark = () => {
    for (const item of list.querySelectorAll("[data-room]")) {
      const read = readUpTo(item.dataset.room);
      const missed = read ? Number(item.dataset.last) - read : 0;
      const badge = item.querySelector('[data-room-part="new"]');
      badge.hidden = missed <= 0;
      badge.textContent = `${missed} new`;
    }
  };
  list.addEventListener("live-change", mark);
  mark();
  return () => list.removeEventListener("live-change", mark);
}
