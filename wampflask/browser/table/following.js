/**
 * A bound table, kept true: every row once, in its newest version; again after each reconnect.
 *
 * A row's versions come from its own column, which the database raises with each change.
 */

const REFILL = 1000; // ms

/** Where a table's procedures and topics are; of one group of its rows, where it has groups. */
const namer = (table, group) => (name) =>
  ["tables", table, ...(group === undefined ? [] : [group]), name].join(".");

/** @param {Function} live  @param {string} table  @param {object} options  see index.d.ts */
export function follow(live, table, { known = [], group, after = null, limit, put, remove }) {
  const name = namer(table, group);
  const shown = new Map(known.map((pk) => [String(pk), pk]));
  let isFirst = true;
  let last = null; // the key at which the page ends, where there are rows beyond

  const ask = async (session) => {
    const rows = {};
    for (let page = { more: true, after }; page.more;) {
      page = await session.call(name("snapshot"), limit ? [page.after, limit] : [page.after]);
      for (const row of page.rows) rows[row.pk] = row;
      last = limit && page.more ? page.after : null;
      if (limit) break;
    }
    return { state: rows };
  };
  /** What an event says. That a row has changed, without its values, has the page ask: not everybody may read it. */
  const unpack = ([{ reset, deleted, pk, version, values }]) => {
    if (deleted) return { state: { gone: [String(pk)] }, number: version };
    if (!reset && ((after !== null && pk <= after) || (last !== null && pk > last)))
      return { state: {} };
    return { state: reset || !values ? null : { rows: { [pk]: { pk, version, values } } } };
  };
  const apply = (rows, { changed, gone }) => {
    const left = isFirst ? [...shown.keys()].filter((key) => !rows.has(key)) : gone;
    isFirst = false;
    for (const key of left) {
      const pk = shown.get(key);
      if (shown.delete(key)) remove(pk);
    }
    for (const key of changed) {
      shown.set(key, rows.get(key).pk);
      put(rows.get(key));
    }
    if (left.length && last !== null) following.refresh(REFILL); // the next row comes up
  };
  const following = live([name(".changed"), name(".deleted"), `tables.${table}.reset`], apply, {
    kind: "rows",
    ask,
    unpack,
    version: (row) => row.version ?? 0,
  });
  return following;
}

/** @param {Function} call  @param {string} table  @param {string} action  @param {any[]} args  @param {object} [options] */
export const send = (call, table, action, args, { group, ...how } = {}) =>
  call(namer(table, group)(action), args, how);
