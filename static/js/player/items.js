/** The playlist, on the player and on its remote. */
import { clone } from "../dom.js";

/** Marks the item that is on. */
export function markCurrent(buttons, index) {
  buttons.forEach((button, place) => {
    if (place === index) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
}

/** Rows are made anew only when the titles are others, so that a reader's place stays. */
export function drawItems(list, template, { items: titles = [], index }) {
  const shown = [...list.querySelectorAll("button")].map((button) => button.textContent);
  if (shown.length !== titles.length || titles.some((title, place) => title !== shown[place])) {
    list.replaceChildren(
      ...titles.map((title) => {
        const row = clone(template);
        row.querySelector("button").textContent = title;
        return row;
      }),
    );
  }
  markCurrent([...list.querySelectorAll("button")], index);
}
