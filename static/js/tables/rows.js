/**
 * A bound table, kept true: every row once, in its newest version; again after each reconnect. The far side is wampflask/binding.py.
 *
 * const stop = followRows("integer_value", {
 *   known: [[3, 2]],         // what the page shows already: pk and version
 *   put: (row) => {},        // { pk, version, values }: new, or newer than what was put
 *   remove: (pk) => {},
 * })
 * write("integer_value", "update", [pk, values, version])   // rejects with error.errorUri, error.argsDict.row for a conflict
 */
import { connection, live } from "../wamp/index.js";

const version = (state) => state.version ?? 0;

export function followRows(table, { known = [], put, remove }) {
  const shown = new Map(known);
  const name = (what) => `tables.${table}.${what}`;

  const snapshot = async (session) => {
    const before = [...shown.keys()];
    const rows = [];
    let page = { more: true, after: null };
    while (page.more) {
      page = await session.call(name("snapshot"), [page.after]);
      rows.push(...page.rows);
    }
    const there = new Set(rows.map((row) => row.pk));
    const gone = before.filter((pk) => !there.has(pk)).map((pk) => ({ pk, version: shown.get(pk), deleted: true }));
    return [...rows, ...gone];
  };
  return live([name(".changed"), name(".deleted"), name("reset")], {
    snapshot,
    key: (state) => state.pk ?? "reset",
    version,
    vague: (state) => state.reset || !(state.values || state.deleted), // told that there is news, not what
    apply(state) {
      if (state.deleted) {
        shown.delete(state.pk);
        remove(state.pk);
      } else if (state.values) {
        shown.set(state.pk, state.version);
        put(state);
      }
    },
  });
}

export function write(table, action, args) {
  return connection.call(`tables.${table}.${action}`, args);
}
