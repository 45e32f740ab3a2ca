/**
 * Where the router is and with what to join it: asked of our own site before each connect, so that a page holds no secret
 * and a log-in or log-out is known at once.
 *
 * Page: <meta name="wamp-ticket-url" content="/wamp/ticket">
 */

/** @param {string[]} proofs what this page was given to claim what is its own (`wampflask.tickets.prove`)  @returns {Promise<{ticket: string, authid: string, role: string, realm: string, url: string}>} */
export async function fetchTicket(signal, proofs = []) {
  const url = document.querySelector('meta[name="wamp-ticket-url"]').content;
  const answer = await fetch(url, {
    cache: "no-store",
    credentials: "same-origin",
    headers: { Accept: "application/json", ...(proofs.length && { "X-Wamp-Proof": proofs.join(",") }) },
    signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
  });
  if (!answer.ok) throw new Error(`no ticket: ${answer.status} ${answer.statusText}`);
  return answer.json();
}
