/** Choosing a name without leaving the page. <form data-chat="name"> <input name="name"> <p data-chat="name-trouble" role="alert"> </form> */
import { connection } from "wampflask";
import { words } from "../words.js";

/** @returns {{show: (person) => void, stop: () => void}} */
export function naming(root, label, renamed) {
  const form = root.querySelector('[data-chat="name"]');
  const trouble = root.querySelector('[data-chat="name-trouble"]');
  const fold = root.querySelector('[data-chat="name-fold"]');
  const submit = async (event) => {
    event.preventDefault();
    try {
      renamed(await connection.call("chat.rename", [label, form.elements.name.value]));
      trouble.hidden = true;
      fold.open = false;
    } catch (error) {
      trouble.textContent = words(error);
      trouble.hidden = false;
    }
  };
  form.addEventListener("submit", submit);
  return {
    show: (person) => {
      root.querySelectorAll('[data-chat="me"]').forEach((place) => { place.textContent = person.name; });
      if (document.activeElement !== form.elements.name) form.elements.name.value = person.name;
    },
    stop: () => form.removeEventListener("submit", submit),
  };
}
