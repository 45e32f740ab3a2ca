/** Marks the rooms in which something was said since the reader last looked. <li data-room="label" data-last="17"> <span data-room-part="new" hidden> */
import { readUpTo } from "./unread.js";

export function connect(list) {
  for (const item of list.querySelectorAll("[data-room]")) {
    const read = readUpTo(item.dataset.room);
    const missed = read ? Number(item.dataset.last) - read : 0;
    const mark = item.querySelector('[data-room-part="new"]');
    mark.hidden = missed <= 0;
    mark.textContent = `${missed} new`;
  }
}
