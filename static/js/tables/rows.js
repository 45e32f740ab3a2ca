/**
 * A bound table, kept true: every row once, in its newest version; again after each reconnect. The far side is wampflask/binding.py.
 *
 * const stop = followRows("integer_value", {
 *   known: [3, 4],           // pks of the rows that the page shows already
 *   put: (row) => {},        // { pk, version, values }: new, or newer than what was put
 *   remove: (pk) => {},
 * })
 * write("integer_value", "update", [pk, values, version])   // rejects with error.uri, error.kwargs.row for a conflict
 */
import { call, live } from "wampflask";

function unpack([{ reset, deleted, pk, version, values }]) {
  if (deleted) return { state: { gone: [String(pk)] }, number: version };
  if (reset || !values) return { state: null }; // there is news, and it does not say what
  return { state: { rows: { [pk]: { pk, version, values } } } };
}

export function followRows(table, { known, put, remove }) {
  const shown = new Set(known.map(String));
  const name = (what) => `tables.${table}.${what}`;
  let answered = false;

  const ask = async (session) => {
    const rows = {};
    for (let page = { more: true, after: null }; page.more;) {
      page = await session.call(name("snapshot"), [page.after]);
      for (const row of page.rows) rows[row.pk] = row;
    }
    answered = true;
    return { state: rows };
  };
  const apply = (rows, { changed, gone }) => {
    for (const pk of changed) put(rows.get(pk));
    for (const pk of answered ? [...shown].filter((key) => !rows.has(key)) : gone) {
      shown.delete(pk);
      remove(Number(pk));
    }
    for (const pk of changed) shown.add(pk);
  };
  const following = live([name(".changed"), name(".deleted"), name("reset")], apply, {
    kind: "rows", ask, unpack, version: (row) => row.version ?? 0,
  });
  return () => following.stop();
}

export function write(table, action, args) {
  return call(`tables.${table}.${action}`, args);
}
