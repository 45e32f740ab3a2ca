/**
 * Shows the whole page full screen, by a button or the key F.
 *
 * <button type="button" data-behaviour="full_screen" hidden>Full screen</button>
 */
export function connect(button) {
  if (!document.fullscreenEnabled) return () => {};
  const toggle = () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
  const key = (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key.toLowerCase() === "f" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing) toggle();
  };
  button.hidden = false;
  button.addEventListener("click", toggle);
  document.addEventListener("keydown", key);
  return () => {
    button.removeEventListener("click", toggle);
    document.removeEventListener("keydown", key);
  };
}
