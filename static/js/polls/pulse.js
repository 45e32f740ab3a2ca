/**
 * Lets a number light up once because it has changed; the style sheet says how, and keeps it still
 * for readers who want it so.
 */
export function pulse(element) {
  element.classList.remove("moved");
  void element.offsetWidth; // a style read between both lets the animation start anew
  element.classList.add("moved");
}
