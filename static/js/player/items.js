/** Marks the item of a playlist that is on. */
export function markCurrent(buttons, index) {
  buttons.forEach((button, place) => {
    if (place === index) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
}
