/**
 * Gets this page an id of its own, shows its code, and lets the page's tickets claim it.
 *
 * <div data-part="pairing" data-url="/player/pairing.json" data-control="/player/control" hidden>
 *   <img data-part="qr" alt="…">  <a data-part="link">  <span data-part="address">
 */
import { connection } from "wampflask";
import { delay, pause } from "../backoff.js";
import { partsOf } from "../dom.js";
import { getJson } from "../get.js";

async function ask(url) {
  for (let failures = 0; ; failures += 1) {
    try {
      return await getJson(url);
    } catch {
      /* the site is away: ask again */
    }
    await pause(delay(failures + 1));
  }
}

/**
 * @returns {Promise<string>} the new id; the connection begins anew, since its ticket claims the
 *   old one
 */
export async function pair(box) {
  const { player, proof, url, qr } = await ask(box.dataset.url);
  const part = partsOf(box);
  part("qr").src = `data:image/svg+xml,${encodeURIComponent(qr)}`;
  part("link").href = `${box.dataset.control}#${player}`;
  part("address").textContent = new URL(url).host;
  box.hidden = false;
  connection.proofs.set("player", proof);
  connection.reconnect();
  return player;
}
