/**
 * Closes the field to write in while its writer is muted, shows until when, and opens it again by
 * itself. What stands in it stays.
 *
 * <form data-part="say"> <p data-part="muted" role="status" hidden> <textarea> <button> </form>
 */
import { when } from "../times.js";

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
      const end = when(new Date(Date.now() + 1000 * seconds));
      notice.textContent = `You are muted here until ${end}. You can still read.`;
      timer = setTimeout(() => mute(0), 1000 * seconds);
    }
    notice.hidden = !muted;
    for (const control of controls) control.disabled = muted;
    if (!muted && focused) focused.focus();
    if (!muted) focused = null;
  };
}
