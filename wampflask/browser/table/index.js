/**
 * Bound tables in the browser: wampflask/table. The far side is wampflask/binding.py.
 *
 * <live-table> is what `{{ live_table(values) }}` writes; followRows() and write() are for pages that draw their own.
 */
import { call, live } from "wampflask";
import { LiveTable } from "./element.js";
import { follow, send } from "./following.js";

export const followRows = follow.bind(null, live);
export const write = send.bind(null, call);

LiveTable.use({ followRows, write });
customElements.define("live-table", LiveTable);
