/**
 * A table that everybody edits at once. What somebody is typing is never overwritten: when the row changes under them they see both, and
 * choose.
 *
 * <section data-behaviour="tables/table" data-table="integer_value"> <ul data-table-part="rows"> <li data-row="3" data-version="2">…
 */
import { Row } from "./row.js";
import { followRows, write } from "./rows.js";
import { STILL_HERE, words } from "../words.js";

export function connect(root) {
  const { table } = root.dataset;
  const part = (name) => root.querySelector(`[data-table-part="${name}"]`);
  const list = part("rows");
  const rows = new Map();
  const complain = (text) => {
    part("trouble").textContent = text;
    part("trouble").hidden = !text;
  };
  const adopt = (item) => {
    const row = new Row(item, table);
    rows.set(row.pk, row);
    return row;
  };
  const empty = () => { part("empty").hidden = rows.size > 0; };
  for (const item of list.children) adopt(item);

  const put = (state) => {
    const known = rows.get(state.pk);
    if (known) return void known.hear(state);
    const item = root.querySelector("template").content.firstElementChild.cloneNode(true);
    item.dataset.row = state.pk;
    list.append(item);
    adopt(item).hear(state);
    empty();
  };
  const add = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const { name, value } = form.elements;
    const sent = { name: name.value, value: value.valueAsNumber || 0 };
    try {
      await write(table, "create", [sent]);
      complain("");
      if (name.value !== sent.name) return; // the next one is being written already
      form.reset();
      name.focus();
    } catch (error) {
      complain(words(error, STILL_HERE));
    }
  };
  const stop = followRows(table, {
    known: [...rows.keys()],
    put,
    remove: (pk) => {
      if (rows.get(pk)?.leave() !== false) rows.delete(pk);
      empty();
    },
  });
  part("add").addEventListener("submit", add);
  return () => {
    stop();
    part("add").removeEventListener("submit", add);
    rows.forEach((row) => row.stop());
  };
}
