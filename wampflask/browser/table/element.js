/**
 * <live-table name="integer_value">: a bound table that everybody edits at once. What somebody is typing is never overwritten: when the
 * row changes under them they see both, and choose.
 *
 * It finds its parts by attributes, so the markup is anybody's own: docs/binding.md has the list.
 */
import { fieldsOf, read, said } from "./fields.js";
import { Row } from "./row.js";

const SOON = 1000; // ms over which pages spread that ask what they may do with a new row
const MANY = 20; // new rows for which the table is asked for at once

let library;

export class LiveTable extends HTMLElement {
  #rows = new Map();
  #unknown = new Set();
  #following = null;
  #listening;

  /** What the page's connection does for tables. */
  static use(functions) {
    library = functions;
  }

  connectedCallback() {
    if (this.#following) return;
    this.tabIndex = -1;
    const key = (text) => (text !== null && this.hasAttribute("numbered") ? Number(text) : text);
    for (const item of this.#part("rows").children) this.#adopt(item, key(item.dataset.row));
    this.#listening = new AbortController();
    this.#part("add")?.addEventListener("submit", this.#add, { signal: this.#listening.signal });
    this.#following = library.followRows(this.getAttribute("name"), {
      ...this.#where,
      after: key(this.getAttribute("after")),
      limit: Number(this.getAttribute("limit")) || undefined,
      known: [...this.#rows.keys()],
      put: (state) => this.#put(state),
      remove: (pk) => this.#remove(pk),
    });
  }

  connectedMoveCallback() {}

  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected || !this.#following) return;
      this.#following.stop();
      this.#following = null;
      this.#listening.abort();
      for (const row of this.#rows.values()) row.stop();
      this.#rows.clear();
    });
  }

  /** Of its own rows: sends, as this table's group. */
  write(action, args) {
    return library.write(this.getAttribute("name"), action, args, this.#where);
  }

  words(name) {
    return this.getAttribute(name) ?? "";
  }
  get yesNo() {
    return { yes: this.words("yes"), no: this.words("no") };
  }

  /** What the far side says, or that it did not answer. */
  wordsFor(error) {
    return (error.uri?.startsWith("tables.error.") && error.args[0]) || this.words("lost");
  }

  /** Asks before something cannot be undone: Escape and Cancel mean no, and the focus returns. @returns {Promise<boolean>} */
  confirm(values) {
    const dialog = this.#part("ask");
    this.#part("subject").textContent = String(Object.values(values)[0] ?? "");
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    });
  }

  get #where() {
    return { group: this.getAttribute("group") ?? undefined };
  }

  #part(name) {
    return this.querySelector(`[data-table-part="${name}"]`);
  }

  #adopt(item, pk) {
    const row = new Row(item, this, pk);
    this.#rows.set(pk, row);
    return row;
  }

  #put(state) {
    const known = this.#rows.get(state.pk);
    if (known) return known.hear(state);
    const item = this.querySelector("template").content.firstElementChild.cloneNode(true);
    item.dataset.row = state.pk;
    this.#part("rows").append(item);
    this.#adopt(item, state.pk).hear(state);
    if (!state.may && this.hasAttribute("asks")) this.#askAbout(state.pk);
    this.#showEmpty();
  }

  #remove(pk) {
    if (!this.#rows.get(pk)?.leave()) this.#rows.delete(pk);
    this.#showEmpty();
  }

  #showEmpty() {
    const empty = this.#part("empty");
    if (empty) empty.hidden = this.#rows.size > 0;
  }

  /** Events are the same for everybody: what this reader may do with a new row they do not say. */
  #askAbout(pk) {
    this.#unknown.add(pk);
    if (this.#unknown.size > 1) return;
    setTimeout(() => {
      const rows = [...this.#unknown];
      this.#unknown.clear();
      if (rows.length > MANY) this.#following?.refresh();
      else
        for (const each of rows)
          this.write("row", [each]).then(
            (state) => this.#rows.get(each)?.hear(state),
            () => {},
          );
    }, Math.random() * SOON);
  }

  #add = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = fieldsOf(form);
    const wrong = fields.find((field) => field.validity.badInput);
    if (wrong) return this.#complain(wrong.validationMessage);
    const sent = fields.map(said);
    try {
      await this.write("create", [
        Object.fromEntries(fields.map((field) => [field.name, read(field)])),
      ]);
      this.#complain("");
      if (fields.some((field, place) => said(field) !== sent[place])) return; // the next one is being written already
      form.reset();
      fields[0].focus();
    } catch (error) {
      this.#complain(this.wordsFor(error));
    }
  };

  #complain(text) {
    const line = this.#part("trouble");
    line.textContent = text;
    line.hidden = !text;
  }
}
