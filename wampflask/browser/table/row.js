/**
 * One row: saved on Enter or when a field is left, with the version of the row that was edited. Changes of others show at once; in a row
 * that somebody is editing, beside it.
 *
 * <tr data-row="3" data-version="2" data-values='{"name": "tea"}'> … <input name="name" data-kind="text"> …
 */
import { fieldsOf, fill, read, said, show, wouldSay } from "./fields.js";

const CHANGED = "live-table__row--changed";

export class Row {
  #item;
  #table;
  /** What the row is, as far as its fields were filled from it; null before there is anything. */
  #base = null;
  /** What somebody else has made of it while it was being edited. */
  #theirs = null;
  #busy = false;
  #again = false;
  #heard = null;
  #turn = Promise.resolve();
  #listening = new AbortController();

  /** @param {HTMLElement} item  @param {import("./element.js").LiveTable} table */
  constructor(item, table, pk) {
    this.#item = item;
    this.#table = table;
    this.pk = pk;
    const { version, values, may } = item.dataset;
    if (version) this.#base = { pk, version: Number(version), values: JSON.parse(values) };
    if (may !== undefined) this.#allow(may.split(" "));
    const { signal } = this.#listening;
    item.addEventListener("submit", this.#submit, { signal });
    item.addEventListener("change", this.#save, { signal });
    item.addEventListener("click", this.#click, { signal });
    item.addEventListener("keydown", this.#press, { signal });
    if (this.#part("conflict")?.hidden === false) this.#disagree(this.#base); // the fields hold what was refused
  }

  stop() {
    this.#listening.abort();
  }

  /** The row is this now. */
  hear(state) {
    if (this.#busy) {
      // it may be our own, whose answer is on its way
      if (!(this.#heard?.version > state.version)) this.#heard = state;
      return;
    }
    if (state.may) this.#allow(state.may);
    if (state.version <= (this.#theirs ?? this.#base)?.version) return;
    if ((this.#theirs || this.#isDirty) && !this.#says(state.values)) this.#disagree(state);
    else this.#take(state, Boolean(this.#base));
  }

  /** The row is gone. @returns {boolean} whether it stays to be seen, because somebody was editing it */
  leave() {
    const stays = this.#isDirty;
    if (stays) {
      this.#show(this.#table.words("gone"));
      for (const button of this.#item.querySelectorAll("button")) button.disabled = true;
    } else {
      const hadFocus = this.#item.contains(document.activeElement);
      this.#item.remove();
      if (hadFocus) this.#table.focus();
    }
    this.stop();
    return stays;
  }

  get #fields() {
    return fieldsOf(this.#item);
  }
  get #isDirty() {
    return this.#base !== null && !this.#says(this.#base.values);
  }

  #part(name) {
    return this.#item.querySelector(`[data-row-part="${name}"]`);
  }

  /** Whether the fields, or one of them, say these values. */
  #says(values, only = undefined) {
    return this.#fields.every(
      (field) =>
        (only ?? field.name) !== field.name || said(field) === wouldSay(field, values[field.name]),
    );
  }

  /** @param {Set<any>} [typed]  fields in which somebody goes on typing */
  #take(state, flash, typed = new Set()) {
    const { version, values } = state;
    this.#base = state;
    this.#theirs = null;
    Object.assign(this.#item.dataset, { version, values: JSON.stringify(values) });
    for (const field of this.#fields) if (!typed.has(field)) show(field, values[field.name]);
    const places = [...this.#item.querySelectorAll("[data-field]")].filter(
      (place) => !place.closest("[data-row-part]"),
    );
    fill(places, values, this.#table.yesNo);
    this.#hideConflict();
    this.#show("");
    if (!flash) return;
    this.#item.classList.remove(CHANGED);
    void this.#item.offsetWidth; // begins the animation again
    this.#item.classList.add(CHANGED);
  }

  /** Both are shown, and nothing is sent until one of them is chosen. */
  #disagree(state) {
    this.#theirs = state;
    const theirs = this.#part("theirs");
    fill(theirs.querySelectorAll("[data-field]"), state.values, this.#table.yesNo);
    for (const part of theirs.querySelectorAll("[data-difference]"))
      part.hidden = this.#says(state.values, part.dataset.difference);
    this.#part("conflict").hidden = false;
  }

  #hideConflict() {
    const conflict = this.#part("conflict");
    if (conflict) conflict.hidden = true;
  }

  #show(text, name = "") {
    const line = this.#part("trouble");
    for (const field of this.#fields) field.ariaInvalid = field.name === name ? "true" : null;
    if (!line) return;
    line.textContent = text;
    line.hidden = !text;
  }

  /** Shows what this reader may do with the row. @param {string[]} may */
  #allow(may) {
    const isFixed = !may.includes("update");
    for (const field of this.#fields) {
      if ("readOnly" in field && field.type !== "checkbox") field.readOnly = isFixed;
      else field.disabled = isFixed;
    }
    for (const button of this.#item.querySelectorAll('[data-act="step"]')) button.hidden = isFixed;
    for (const button of this.#item.querySelectorAll('[data-act="delete"]'))
      button.hidden = !may.includes("delete");
  }

  #submit = (event) => {
    event.preventDefault();
    if (!event.submitter?.dataset.act) this.#save(); // not a button of its own
  };

  #save = () => {
    if (this.#busy) this.#again = true;
    else if (!this.#theirs && this.#base) this.#update(this.#base.version);
  };

  #press = (event) => {
    const { key, target, ctrlKey, metaKey, isComposing } = event;
    if (key === "Escape" && !this.#theirs && this.#base) this.#take(this.#base, false);
    if (key !== "Enter" || isComposing || !target.matches("[data-kind]") || target.form) return;
    if (target.dataset.kind !== "lines" || ctrlKey || metaKey) {
      event.preventDefault();
      this.#save();
    }
  };

  #click = async (event) => {
    const button = event.target.closest("[data-act]");
    if (!button) return;
    const { act, by, of } = button.dataset;
    event.preventDefault();
    if (act === "step") {
      const field = this.#fields.find(({ name }) => name === of);
      field.value = (field.valueAsNumber || 0) + Number(by);
      this.#save();
    } else if (act === "delete") {
      if (await this.#table.confirm(this.#base.values)) this.#delete();
    } else if (act === "mine") {
      this.#update(this.#theirs.version);
    } else if (act === "theirs") {
      this.#take(this.#theirs, true);
    }
  };

  /** Sends the fields that were changed, and no others. */
  #update(version) {
    const fields = this.#fields;
    const wrong = fields.find((field) => field.validity.badInput);
    if (wrong) return void this.#show(wrong.validationMessage, wrong.name);
    const changed = fields.filter(
      (field) => said(field) !== wouldSay(field, this.#base.values[field.name]),
    );
    const mine = Object.fromEntries(changed.map((field) => [field.name, read(field)]));
    const sent = new Map(fields.map((field) => [field, said(field)]));
    if (changed.length) this.#write("update", [this.pk, mine, version], sent);
    else if (this.#theirs) this.#take(this.#theirs, true);
  }

  async #delete() {
    while (this.#busy) await this.#turn;
    this.#write("delete", [this.pk, (this.#theirs ?? this.#base).version]);
  }

  #write(action, args, sent) {
    if (this.#busy) return;
    this.#busy = true;
    this.#turn = this.#table
      .write(action, args)
      .then((state) => {
        this.#show("");
        if (action !== "update") return;
        const typed = this.#fields.filter((field) => said(field) !== sent.get(field)); // meanwhile
        this.#take(state, false, new Set(typed));
      })
      .catch((error) => {
        const row = error.uri === "tables.error.conflict" && error.kwargs.row;
        if (row) this.#disagree(row);
        else this.#show(this.#table.wordsFor(error), error.kwargs?.field);
        this.#again = false;
      })
      .then(() => {
        const { heard, again } = { heard: this.#heard, again: this.#again };
        this.#busy = this.#again = false;
        this.#heard = null;
        if (heard) this.hear(heard);
        if (again) this.#save();
      });
  }
}
