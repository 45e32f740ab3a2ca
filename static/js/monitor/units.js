/** Numbers as people read them. The wire has bytes, ratios and seconds; units are made here. */
const STEPS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const [MINUTE, HOUR, DAY] = [60, 3600, 86_400];

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
  const days = Math.floor(seconds / DAY);
  const hours = Math.floor(seconds / HOUR) % 24;
  const minutes = Math.floor(seconds / MINUTE) % 60;
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes} min` : `${minutes} min`;
}

/** Of one field of all things; undefined without things. */
export function sum(things, field) {
  if (!things) return undefined;
  return Object.values(things).reduce((total, one) => total + (one[field] ?? 0), 0);
}

/** The greatest of all things; undefined without things. */
export function most(things, of = (thing) => thing) {
  const values = Object.values(things ?? {}).map(of);
  return values.length ? Math.max(...values) : undefined;
}
