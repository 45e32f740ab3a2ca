/**
 * One row: a form that saves on Enter or when it is left, with the version of the row that was edited. Changes of others show at once,
 * in a field that one is editing beside it.
 *
 * <li data-row="3" data-version="2"> <form> <input name="name"> <input name="value"> … <p data-row-part="conflict" hidden>
 */
import { ask } from "../ask.js";
import { write } from "./rows.js";
import { STILL_HERE, words } from "../words.js";

export class Row {
  #item;
  #table;
  #form;
  #base;
  #theirs = null;
  #busy = false;
  #heard = null;

  constructor(item, table) {
    this.#item = item;
    this.#table = table;
    this.#form = item.querySelector("form");
    const { version, name, value } = item.dataset; // what the row is, where the fields hold what was refused
    this.#base = { version: Number(version), values: name === undefined ? this.#mine() : { name, value: Number(value) } };
    item.addEventListener("submit", this.#submit);
    item.addEventListener("change", this.#save);
    item.addEventListener("click", this.#click);
    item.addEventListener("keydown", this.#press);
    if (!item.querySelector('[data-row-part="conflict"]').hidden) this.#disagree({ pk: this.pk, ...this.#base });
  }

  get pk() { return Number(this.#item.dataset.row); }
  get version() { return this.#base.version; }

  stop() {
    this.#item.removeEventListener("submit", this.#submit);
    this.#item.removeEventListener("change", this.#save);
    this.#item.removeEventListener("click", this.#click);
    this.#item.removeEventListener("keydown", this.#press);
  }

  /** The row is this now. */
  hear(state) {
    if (this.#busy) return void (this.#heard = state); // it may be our own, whose answer is on its way
    if (state.version <= this.#base.version && this.#item.dataset.version) return;
    const isNew = !this.#item.dataset.version;
    if (!isNew && (this.#isDirty || this.#theirs) && !same(state.values, this.#mine())) this.#disagree(state);
    else this.#take(state, !isNew);
  }

  /** The row is gone. @returns {boolean|void} false when it stays to be seen, because somebody was editing it */
  leave() {
    if (!this.#isDirty) return void this.#item.remove();
    this.#tell("Someone else deleted this row. What you wrote is still here to copy.");
    this.#item.querySelectorAll("button").forEach((button) => { button.disabled = true; });
    return false;
  }

  get #isDirty() { return !same(this.#mine(), this.#base.values); }

  #mine() {
    const { name, value } = this.#form.elements;
    return { name: name.value, value: value.valueAsNumber };
  }

  #take({ version, values }, flash) {
    this.#base = { version, values };
    this.#theirs = null;
    this.#item.dataset.version = version;
    this.#form.elements.version.value = version;
    this.#item.querySelector('[data-row-part="conflict"]').hidden = true;
    this.#reset();
    this.#tell("");
    if (!flash) return;
    this.#item.classList.remove("live__row--moved");
    void this.#item.offsetWidth; // begins the animation again
    this.#item.classList.add("live__row--moved");
  }

  /** Both are shown, and nothing is sent until one of them is chosen. */
  #disagree(state) {
    this.#theirs = state;
    const part = (name) => this.#item.querySelector(`[data-row-part="${name}"]`);
    part("theirs").textContent = `${state.values.name} = ${state.values.value}`;
    part("conflict").hidden = false;
  }

  #tell(text) {
    const line = this.#item.querySelector('[data-row-part="trouble"]');
    line.textContent = text;
    line.hidden = !text;
  }

  #submit = (event) => {
    event.preventDefault();
    if (event.submitter?.dataset.act) return; // a button of its own
    this.#save();
  };

  #save = () => {
    if (this.#isDirty && !this.#theirs) this.#write("update", [this.pk, this.#mine(), this.#base.version]);
  };

  #press = (event) => {
    if (event.key === "Escape" && !this.#theirs) this.#reset();
  };

  #reset() {
    const { name, value } = this.#form.elements;
    name.value = this.#base.values.name;
    value.value = this.#base.values.value;
  }

  #click = async (event) => {
    const act = event.target.closest("[data-act]")?.dataset.act;
    if (!act) return;
    event.preventDefault();
    if (act === "step") {
      const field = this.#form.elements.value;
      field.value = (field.valueAsNumber || 0) + Number(event.target.closest("[data-by]").dataset.by);
      this.#save();
    } else if (act === "delete") {
      if (await ask(`Delete “${this.#base.values.name}”?`, "Delete")) this.#write("delete", [this.pk, (this.#theirs ?? this.#base).version]);
    } else if (act === "mine") {
      this.#write("update", [this.pk, this.#mine(), this.#theirs.version]);
    } else if (act === "theirs") {
      this.#take(this.#theirs, true);
    }
  };

  async #write(action, args) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const state = await write(this.#table, action, args);
      this.#tell("");
      if (action === "update") this.#saved(state, args[1]);
    } catch (error) {
      const row = error.uri === "tables.error.conflict" ? error.kwargs?.row : null;
      if (row) this.#disagree(row);
      else this.#tell(words(error, STILL_HERE));
    } finally {
      this.#busy = false;
      const heard = this.#heard;
      this.#heard = null;
      if (heard) this.hear(heard);
    }
  }

  /** What was typed while it was on its way is saved next. */
  #saved(state, sent) {
    const typed = this.#mine();
    this.#take(state, false);
    if (same(typed, sent)) return;
    Object.assign(this.#form.elements.name, { value: typed.name });
    Object.assign(this.#form.elements.value, { value: Number.isNaN(typed.value) ? "" : typed.value });
    queueMicrotask(this.#save);
  }
}

function same(one, other) {
  return one.name === other.name && Object.is(one.value, other.value);
}
