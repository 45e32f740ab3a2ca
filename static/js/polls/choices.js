/**
 * Rows of choices in a form: add, remove, move up and down. Without this module the form offers spare empty rows instead.
 *
 * <div data-behaviour="polls/choices" data-most="50">
 *   <ol data-rows="list"> <li> … <button type="button" data-rows="up|down|remove"> </li> </ol>
 *   <button type="button" data-rows="add">   <p role="status" data-rows="said">
 * </div>
 * The fields of row n carry "-n-" in name, id and for; they are numbered anew after each change.
 */
export function connect(box) {
  const part = (name) => box.querySelector(`[data-rows="${name}"]`);
  const list = part("list");
  const input = (row) => row.querySelector("input[type=text]");

  const number = () => [...list.children].forEach((row, place) => {
    for (const field of row.querySelectorAll("[name], [id], [for]")) {
      for (const name of ["name", "id", "for"]) {
        if (field.hasAttribute(name)) field.setAttribute(name, field.getAttribute(name).replace(/-\d+-/, `-${place}-`));
      }
    }
    row.querySelector("label").textContent = `Choice ${place + 1}`;
    for (const text of row.querySelectorAll("button .only-read")) text.textContent = text.textContent.replace(/\d+/, place + 1);
  });

  const add = () => {
    const row = list.lastElementChild.cloneNode(true);
    row.querySelectorAll(".errors").forEach((note) => note.remove());
    row.querySelectorAll("input").forEach((field) => { field.value = ""; field.removeAttribute("aria-invalid"); });
    list.append(row);
    return [input(row), "A choice was added."];
  };
  const moves = {
    up: (row) => (row.previousElementSibling?.before(row), "Moved up."),
    down: (row) => (row.nextElementSibling?.after(row), "Moved down."),
    remove: (row) => (list.children.length > 1 ? row.remove() : (input(row).value = ""), "Removed."),
  };

  const click = (event) => {
    const button = event.target.closest("button[data-rows]");
    if (!button) return;
    const action = button.dataset.rows;
    const row = button.closest("li");
    let [focus, said] = [button, ""];
    if (action === "add") {
      if (list.children.length >= Number(box.dataset.most)) return;
      [focus, said] = add();
    } else {
      const neighbour = row.nextElementSibling ?? row.previousElementSibling ?? row;
      said = moves[action](row);
      if (action === "remove") focus = input(neighbour);
    }
    number();
    focus.focus();
    part("said").textContent = said;
  };
  box.addEventListener("click", click);
  return () => box.removeEventListener("click", click);
}
