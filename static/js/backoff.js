/**
 * How long to wait before the next try: "full jitter", a random share of a ceiling that doubles
 * with each failure, so that ten thousand pages that lost the router together do not return
 * together.
 */

/**
 * @returns {number} milliseconds, 0 <= delay < min(cap, base * 2 ** attempt); attempt counts from 0
 */
export function delay(attempt, { base = 1000, cap = 8000, random = Math.random } = {}) {
  return random() * Math.min(cap, base * 2 ** Math.min(attempt, 20));
}

/** Resolves after `ms`, or at once when `signal` aborts: it never rejects. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal?.aborted) done();
    else signal?.addEventListener("abort", done);
  });
}
