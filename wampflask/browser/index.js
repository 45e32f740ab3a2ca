/**
 * wampflask in the browser.
 *
 * import { live, call } from "wampflask";
 * live("shop.stock.tea", (stock) => { left.textContent = stock.left; });
 */
import { LiveFragment } from "./fragment.js";
import { live as follow } from "./live.js";
import { connection } from "./page.js";
import { presence as attend } from "./presence.js";
import { WampStatus } from "./status.js";

export { ConnectionLost, TimedOut, WampError } from "./errors.js";
export { connection };

export const { call, publish, subscribe, register } = connection;
export const live = follow.bind(null, connection);
export const presence = attend.bind(null, connection);

customElements.define("live-fragment", LiveFragment);
customElements.define("wamp-status", WampStatus);
