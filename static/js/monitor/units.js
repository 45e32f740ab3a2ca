/** Numbers as people read them. The wire has bytes, ratios and seconds; units are made here. */
const STEPS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export const percent = (ratio) => (ratio == null ? "–" : `${Math.round(ratio * 100)}%`);

export function bytes(value) {
  if (value == null) return "–";
  let step = 0;
  let left = Math.abs(value);
  for (; left >= 1024 && step < STEPS.length - 1; step += 1) left /= 1024;
  return `${left < 10 && step ? left.toFixed(1) : Math.round(left)} ${STEPS[step]}`;
}

export const rate = (value) => (value == null ? "–" : `${bytes(value)}/s`);

export const degrees = (value) => (value == null ? "–" : `${Math.round(value)} °C`);

export function duration(seconds) {
  if (seconds == null) return "–";
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes} min` : `${minutes} min`;
}

/** A moment: the time of day today, else with its day. @param seconds since the epoch */
export function moment(seconds) {
  if (seconds == null) return "never";
  const date = new Date(seconds * 1000);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString()} ${time}`;
}

export const sum = (things, field) => Object.values(things ?? {}).reduce((total, one) => total + (one[field] ?? 0), 0);

export const worst = (things, field) => Object.values(things ?? {}).reduce((most, one) => Math.max(most, one[field] ?? 0), 0);

export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** The level of a ratio, by the page's own bounds. <section data-warn="0.75" data-bad="0.9"> */
export function level(ratio) {
  const { warn, bad } = document.querySelector("[data-warn]").dataset;
  return ratio >= Number(bad) ? "bad" : ratio >= Number(warn) ? "warn" : "good";
}
