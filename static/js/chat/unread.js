/**
 * Shows a line above what is new since you last looked, and a number in the title while you look
 * elsewhere. How far you have read is kept in this browser.
 *
 * <button data-part="newer" hidden>
 */
import { partsOf } from "../dom.js";

const key = (label) => `chat.read.${label}`;

/** The last message of a room that was read here. */
export function readUpTo(label) {
  try {
    return Number(localStorage.getItem(key(label)) ?? 0);
  } catch {
    return 0; // no storage in this browser: nothing is marked
  }
}

/** @returns {() => void} stop */
export function markUnread(root, label, log, isMine) {
  const part = partsOf(root);
  const newer = part("newer");
  const box = part("scroll");
  const title = document.title;
  let missed = 0;

  const isLooking = () =>
    document.visibilityState === "visible" && document.hasFocus() && log.atEnd;
  const mark = (item) => {
    if (!root.querySelector(".msg--first-new")) item.classList.add("msg--first-new");
  };
  const read = () => {
    if (!isLooking()) return;
    missed = 0;
    document.title = title;
    newer.hidden = true;
    try {
      localStorage.setItem(key(label), String(log.last));
    } catch {
      // as above
    }
  };
  const hear = ({ detail: { message, follow } }) => {
    if (isMine(message) || isLooking()) return void read();
    missed += 1;
    document.title = `(${missed}) ${title}`;
    newer.hidden = follow;
    if (missed === 1) root.querySelector(".msg--first-new")?.classList.remove("msg--first-new");
    mark(root.querySelector(`[data-message="${message.id}"]`));
  };
  const jump = () => {
    log.toEnd();
    read();
  };

  const before = readUpTo(label);
  const first = [...log.items].find((item) => Number(item.dataset.message) > before);
  if (before && first) mark(first);
  read();
  log.addEventListener("message", hear);
  newer.addEventListener("click", jump);
  box.addEventListener("scroll", read, { passive: true });
  addEventListener("focus", read);
  document.addEventListener("visibilitychange", read);
  return () => {
    log.removeEventListener("message", hear);
    newer.removeEventListener("click", jump);
    box.removeEventListener("scroll", read);
    removeEventListener("focus", read);
    document.removeEventListener("visibilitychange", read);
    document.title = title;
  };
}
