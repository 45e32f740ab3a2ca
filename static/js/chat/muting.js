/**
 * Closes the field to write in while its reader is muted, says until when, and opens it again by itself. What stands in it stays.
 *
 * <form data-chat="say"> <p data-chat="muted" role="status" hidden> <textarea> <button> </form>
 */
import { when } from "./log.js";

/** @returns {(seconds: number) => void} for how long; 0 opens the field */
export function muting(form, notice) {
  const controls = form.querySelectorAll("textarea, button");
  let timer = null;
  let focused = null;

  return function mute(seconds) {
    clearTimeout(timer);
    const muted = seconds > 0;
    if (muted) {
      focused ??= [...controls].find((control) => control === document.activeElement);
      notice.textContent = `You are muted here until ${when(new Date(Date.now() + 1000 * seconds))}. You can still read.`;
      timer = setTimeout(() => mute(0), 1000 * seconds);
    }
    notice.hidden = !muted;
    for (const control of controls) control.disabled = muted;
    if (!muted && focused) focused.focus();
    if (!muted) focused = null;
  };
}
