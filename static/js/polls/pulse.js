/**
 * Highlights a number once because it has changed. The style sheet defines how, and leaves it still
 * for people who prefer reduced motion.
 */
export function pulse(element) {
  element.classList.remove("moved");
  void element.offsetWidth; // a style read between both lets the animation start anew
  element.classList.add("moved");
}
