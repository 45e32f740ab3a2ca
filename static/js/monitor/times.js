/**
 * Writes times as the reader's clock has them, also in what comes later.
 *
 * <div data-behaviour="monitor/times"> <live-fragment …> <time datetime="2026-03-01T12:00:00+00:00">01 Mar 12:00:00 UTC</time> …
 */
import { moment, setText } from "./units.js";

export function connect(root) {
  const write = () => root.querySelectorAll("time").forEach((time) => setText(time, moment(Date.parse(time.dateTime) / 1000)));
  root.addEventListener("live-change", write);
  write();
  return () => root.removeEventListener("live-change", write);
}
