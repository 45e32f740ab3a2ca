/**
 * Puts a form in place of a message's text until it is saved or given up.
 *
 * <li> <p data-part="text"> </li>
 * <template data-part="edit">
 *   <form> <textarea name="text"> <button type="button" data-part="cancel">
 */
import { clone, partsOf } from "../dom.js";

/** @param {(text: string) => Promise<boolean>} save resolves to whether it worked */
export function editMessage(item, template, save) {
  if (item.querySelector("form")) return;
  const text = partsOf(item)("text");
  const form = clone(template);
  const field = form.elements.text;
  const close = () => {
    form.remove();
    text.hidden = false;
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await save(field.value)) close();
  });
  partsOf(form)("cancel").addEventListener("click", close);
  form.addEventListener("keydown", (event) => event.key === "Escape" && close());
  field.value = text.textContent;
  text.hidden = true;
  text.after(form);
  field.focus();
}
