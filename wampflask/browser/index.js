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

export const call = (procedure, args, how) => connection.call(procedure, args, how);
export const publish = (topic, args, how) => connection.publish(topic, args, how);
export const subscribe = (topic, handler, how) => connection.subscribe(topic, handler, how);
export const register = (procedure, handler, how) => connection.register(procedure, handler, how);
export const live = (topics, apply, options) => follow(connection, topics, apply, options);
export const presence = (topic, apply, options) => attend(connection, topic, apply, options);

for (const [name, element] of [["live-fragment", LiveFragment], ["wamp-status", WampStatus]]) {
  if (!customElements.get(name)) customElements.define(name, element);
}
