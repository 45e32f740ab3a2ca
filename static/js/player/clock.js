/** Seconds as people read them: 0:07, 12:34, 1:02:03. */
export function clock(seconds) {
  if (!Number.isFinite(seconds)) return "–:––";
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** The same for a screen reader. */
export function spoken(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${count(Math.floor(whole / 60), "minute")} ${count(whole % 60, "second")}`;
}
