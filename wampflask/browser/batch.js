/** Asks for all of a page's fragments in as few calls as there can be. */
import { pause } from "./backoff.js";
import { WampError } from "./errors.js";
import { FETCH, NOT_NOW } from "./uris.js";

const MOST = 100; // entries of a call
const TOGETHER = 10; // ms
const AFTER_FAILURE = 500; // ms: then each asks again at a time of its own, and they find together again

const batches = new WeakMap();
let window = TOGETHER;

/**
 * @param {import("./session.js").Session} session
 * @param {[name: string, args: object, key: string, have: string]} entry
 * @returns {Promise<{state: any, number?: number}>} as an answer for live(): a state that is undefined is the one we have, null is gone
 * @throws {WampError} NOT_NOW
 */
export async function fetchFragment(session, entry) {
  let batch = batches.get(session);
  if (!batch || batch.entries.length === MOST) {
    batch = { entries: [], answers: null };
    batch.answers = send(session, batch);
    batches.set(session, batch);
  }
  const at = batch.entries.push(entry) - 1;
  const found = (await batch.answers)?.[at];
  if (found === 0) return { state: null };
  if (!Array.isArray(found)) throw new WampError(NOT_NOW, ["The fragment cannot be had now."]);
  const [state, number] = found;
  return { state: state ?? undefined, number };
}

async function send(session, batch) {
  await pause(window);
  if (batches.get(session) === batch) batches.delete(session);
  try {
    const answers = await session.call(FETCH, [batch.entries]);
    window = TOGETHER;
    return answers;
  } catch (error) {
    window = AFTER_FAILURE;
    throw error;
  }
}
