/**
 * Asks before something cannot be undone, in a dialog of the site's look: Escape and Cancel mean
 * no, and the focus returns.
 *
 * if (await ask("Delete this message?", "Delete")) …
 */

/**
 * @param question a sentence
 * @param action what the button does
 * @returns {Promise<boolean>} whether it was pressed
 */
export function ask(question, action) {
  const dialog = document.createElement("dialog");
  const form = document.createElement("form");
  const text = document.createElement("p");
  const buttons = document.createElement("div");
  dialog.className = "ask card card--lift";
  dialog.setAttribute("aria-labelledby", "ask-question");
  form.method = "dialog";
  form.className = "stack";
  text.id = "ask-question";
  text.textContent = question;
  buttons.className = "row";
  buttons.append(button(action, "button--danger", "yes"), button("Cancel", "button--quiet", ""));
  form.append(text, buttons);
  dialog.append(form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

function button(label, kind, value) {
  const found = document.createElement("button");
  found.className = `button ${kind}`;
  found.textContent = label;
  found.value = value;
  found.autofocus = !value;
  return found;
}
