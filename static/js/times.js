/**
 * Moments, in the locale and time zone of the browser. Pages carry them in UTC, so that they can be
 * read without JavaScript, too: <time datetime="2026-03-01T12:00:00+00:00">01 Mar 2026, 12:00
 * UTC</time>
 */
import { setText } from "./dom.js";

const CLOCK = { hour: "2-digit", minute: "2-digit" };
const DAY = { day: "numeric", month: "short", ...CLOCK };
const YEAR = { ...DAY, year: "numeric" };

/** The time of day for today, with its day for this year, else with the year. */
export function when(date, { now = new Date(), locale, timeZone } = {}) {
  const day = (one) => one.toLocaleDateString("en-CA", { timeZone });
  const isSame = (length) => day(date).slice(0, length) === day(now).slice(0, length);
  return date.toLocaleString(locale, {
    ...(isSame(10) ? CLOCK : isSame(4) ? DAY : YEAR),
    timeZone,
  });
}

/** To the second, for what is measured. */
export const exactly = (date, { locale, timeZone } = {}) =>
  date.toLocaleString(locale, { ...DAY, second: "2-digit", timeZone });

export const utc = (date) => `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** Writes a moment into a <time>; the tooltip has it in UTC. */
export function setTime(element, date) {
  element.dateTime = date.toISOString();
  element.title = utc(date);
  setText(element, when(date));
}

/** Writes every moment in `root` anew. */
export function localise(root) {
  for (const element of root.querySelectorAll("time[datetime]"))
    setTime(element, new Date(element.dateTime));
}
