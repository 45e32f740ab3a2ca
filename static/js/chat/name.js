/**
 * Choosing a name without leaving the page.
 *
 * <details data-part="name-fold"> <strong data-part="me">
 *   <form data-part="rename"> <input name="name"> <p data-part="name-trouble" role="alert"> </form>
 */
import { connection } from "wampflask";
import { partsOf, setLine, setText } from "../dom.js";
import { words } from "../words.js";

/** @returns {{show: (person) => void, stop: () => void}} */
export function naming(root, label, renamed) {
  const part = partsOf(root);
  const form = part("rename");
  const field = form.elements.name;
  const submit = async (event) => {
    event.preventDefault();
    try {
      renamed(await connection.call("chat.rename", [label, field.value]));
      setLine(part("name-trouble"), "");
      part("name-fold").open = false;
    } catch (error) {
      setLine(part("name-trouble"), words(error));
    }
  };
  form.addEventListener("submit", submit);
  return {
    show: (person) => {
      setText(part("me"), person.name);
      if (document.activeElement !== field) field.value = person.name;
    },
    stop: () => form.removeEventListener("submit", submit),
  };
}
