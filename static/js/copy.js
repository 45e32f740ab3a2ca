/**
 * Copies a text, also from a page without https, where browsers deny the clipboard.
 *
 * <button type="button" data-behaviour="copy" data-text="https://…" hidden>Copy the link</button>
 */
export function connect(button) {
  const label = button.textContent;
  let timer = null;
  const copy = async () => {
    button.textContent = (await write(button.dataset.text))
      ? "Copied"
      : "Couldn't copy: select the text";
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = label;
    }, 2000);
  };
  button.hidden = false;
  button.addEventListener("click", copy);
  return () => {
    clearTimeout(timer);
    button.removeEventListener("click", copy);
  };
}

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeSelected(text); // no clipboard in an insecure context, or not allowed
  }
}

/** The old way: a command copies the text that is selected. */
function writeSelected(text) {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  area.className = "only-read";
  document.body.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } finally {
    area.remove();
    focused?.focus();
  }
}
