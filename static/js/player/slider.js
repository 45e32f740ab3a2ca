/**
 * A slider that sends while it is moved, one call at a time and the last value for sure, and that
 * is not pulled out of a hand.
 *
 * @param {HTMLInputElement} input type range  @param {(value: number) => Promise} send
 * @returns {(value: number) => void} show a value that came from elsewhere
 */
const STEP = 80; // ms between two calls
const REST = 400; // ms after the hand left

export function slider(input, send) {
  let wanted = null;
  let busy = false;
  let held = 0;

  const flush = async () => {
    if (busy) return;
    busy = true;
    while (wanted !== null) {
      const value = wanted;
      wanted = null;
      await Promise.allSettled([send(value), new Promise((resolve) => setTimeout(resolve, STEP))]);
    }
    busy = false;
  };
  input.addEventListener("input", () => {
    held = performance.now();
    wanted = Number(input.value);
    flush();
  });
  return (value) => {
    if (busy || performance.now() - held < REST) return;
    if (Math.abs(Number(input.value) - value) >= Number(input.step) / 2) input.value = value;
  };
}
