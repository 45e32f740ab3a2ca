/**
 * Adds, removes and moves the rows of choices in a form. Enter goes on to the next choice, which is
 * added if there is none, and Backspace in an empty one removes it. Without this module the form
 * offers spare empty rows instead. Longer than other modules, since buttons and keys share the same
 * changes.
 *
 * <div data-behaviour="polls/choices" data-most="50">
 *   <ol data-part="list"> <li> … <button type="button" data-act="up|down|remove"> </li> </ol>
 *   <button type="button" data-act="add">   <p role="status" data-part="notice">
 * </div>
 * The fields of row n carry "-n-" in name, id and for; they are numbered anew after each change.
 */
import { partsOf } from "../dom.js";

const ADDED = "Choice added.";

export function connect(box) {
  const part = partsOf(box);
  const list = part("list");
  const input = (row) => row.querySelector("input[type=text]");

  const number = () =>
    [...list.children].forEach((row, place) => {
      for (const field of row.querySelectorAll("[name], [id], [for]")) {
        for (const name of ["name", "id", "for"]) {
          if (field.hasAttribute(name))
            field.setAttribute(name, field.getAttribute(name).replace(/-\d+-/, `-${place}-`));
        }
      }
      row.querySelector("label").textContent = `Choice ${place + 1}`;
      for (const text of row.querySelectorAll("button .only-read"))
        text.textContent = text.textContent.replace(/\d+/, place + 1);
    });

  const isFull = () => list.children.length >= Number(box.dataset.most);
  const addAfter = (before) => {
    const row = before.cloneNode(true);
    row.querySelectorAll(".errors").forEach((note) => note.remove());
    for (const field of row.querySelectorAll("input")) {
      field.value = "";
      for (const name of ["aria-invalid", "aria-describedby", "autofocus"])
        field.removeAttribute(name);
    }
    before.after(row);
    return row;
  };
  const done = (focus, text) => {
    number();
    focus.focus();
    part("notice").textContent = text;
  };
  const moves = {
    up: (row) => (row.previousElementSibling?.before(row), "Moved up."),
    down: (row) => (row.nextElementSibling?.after(row), "Moved down."),
    remove: (row) => (
      list.children.length > 1 ? row.remove() : (input(row).value = ""),
      "Choice removed."
    ),
  };

  const click = (event) => {
    const button = event.target.closest("[data-act]");
    if (!button) return;
    const action = button.dataset.act;
    const row = button.closest("li");
    if (action === "add") {
      if (isFull())
        part("notice").textContent = `A poll can have up to ${box.dataset.most} choices.`;
      else done(input(addAfter(list.lastElementChild)), ADDED);
      return;
    }
    const neighbour = row.nextElementSibling ?? row.previousElementSibling ?? row;
    const text = moves[action](row);
    done(action === "remove" ? input(neighbour) : button, text);
  };

  const enter = (row) => {
    const next = row.nextElementSibling;
    if (next && (!input(next).value || !input(row).value || isFull())) input(next).focus();
    else if (input(row).value && !isFull()) done(input(addAfter(row)), ADDED);
  };
  const press = (event) => {
    const row = event.target.matches("input[type=text]") && event.target.closest("li");
    if (!row || event.isComposing || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter") {
      event.preventDefault(); // it would send the form
      enter(row);
    } else if (
      event.key === "Backspace" &&
      !event.repeat &&
      !event.target.value &&
      list.children.length > 1
    ) {
      event.preventDefault(); // it would delete a letter of the row before
      const neighbour = row.previousElementSibling ?? row.nextElementSibling;
      done(input(neighbour), moves.remove(row));
    }
  };
  box.addEventListener("click", click);
  box.addEventListener("keydown", press);
  return () => {
    box.removeEventListener("click", click);
    box.removeEventListener("keydown", press);
  };
}
