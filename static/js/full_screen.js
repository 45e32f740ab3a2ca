/**
 * Shows the whole page full screen, by a button or the key F.
 *
 * <button type="button" data-behaviour="full_screen" hidden>Full screen</button>
 */
export function connect(button) {
  if (!document.fullscreenEnabled) return () => {};
  const toggle = () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen();
  };
  const key = ({ key: pressed, target, ctrlKey, metaKey, altKey }) => {
    const typing = target.closest?.("input, textarea, select, [contenteditable]");
    if (pressed.toLowerCase() === "f" && !ctrlKey && !metaKey && !altKey && !typing) toggle();
  };
  button.hidden = false;
  button.addEventListener("click", toggle);
  document.addEventListener("keydown", key);
  return () => {
    button.removeEventListener("click", toggle);
    document.removeEventListener("keydown", key);
  };
}
