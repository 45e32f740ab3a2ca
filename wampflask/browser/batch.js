/** Asks for all of a page's fragments in as few calls as there can be. */
import { pause } from "./backoff.js";
import { WampError } from "./errors.js";
import { FETCH } from "./uris.js";

const MOST = 100; // entries of a call
const TOGETHER = 10; // ms

const batches = new WeakMap();

/**
 * @param {import("./session.js").Session} session
 * @param {[name: string, args: object, key: string, have: string]} entry
 * @returns {Promise<{state: any, number?: number}>} as an answer for live(): a state that is undefined is the one we have, null is gone
 * @throws {WampError} when it cannot be had now
 */
export async function fetchFragment(session, entry) {
  let batch = batches.get(session);
  if (!batch || batch.entries.length === MOST) {
    const entries = [];
    const answers = pause(TOGETHER).then(() => {
      if (batches.get(session) === batch) batches.delete(session);
      return session.call(FETCH, [entries]);
    });
    batch = { entries, answers };
    batches.set(session, batch);
  }
  const at = batch.entries.push(entry) - 1;
  const found = (await batch.answers)?.[at];
  if (found === 0) return { state: null };
  if (!Array.isArray(found)) throw new WampError("wampflask.error.not_now");
  return { state: found[0] ?? undefined, number: found[1] };
}
