/**
 * Where the router is and with what to join it: asked of our own site before each connect, so that a page holds no secret
 * and a log-in or log-out is known at once.
 *
 * Page: <meta name="wamp-ticket-url" content="/wamp/ticket">, which wamp_head() writes.
 */
import { WampError } from "./errors.js";
import { BLOCKED } from "./uris.js";

/**
 * @param {AbortSignal} signal
 * @param {string[]} [proofs]  what this page was given to claim what is its own (`wampflask.prove`)
 * @returns {Promise<{ticket: string, authid: string, role: string, realm: string, url: string}>}
 * @throws {WampError} BLOCKED, with `until` in its kwargs, when the site gives this person none
 */
export async function fetchTicket(signal, proofs = []) {
  const url = document.querySelector('meta[name="wamp-ticket-url"]')?.content ?? "/wamp/ticket";
  const answer = await fetch(url, {
    cache: "no-store",
    headers: proofs.length ? { "X-Wamp-Proof": proofs.join(",") } : {},
    signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
  });
  if (answer.ok) return answer.json();
  const said = answer.status === 403 && (await answer.json().catch(() => null));
  if (said?.until !== undefined) throw new WampError(BLOCKED, [said.message], said);
  throw new Error(`no ticket: ${answer.status}`);
}
