/**
 * The field to write in: Enter sends it, Shift+Enter begins a new line. What is on its way stands
 * below the messages, and stays there while the connection is away.
 *
 * <form data-part="say"> <textarea name="text"> <button>
 *   <p data-part="trouble" role="alert"> </form>
 * <ol data-part="pending">
 */
import { connection } from "wampflask";
import { partsOf, setLine } from "../dom.js";
import { muting } from "./muting.js";
import { Outbox } from "./outbox.js";
import { words } from "../words.js";

const TYPING = 3000; // ms between two notices that we are typing

function pendingItem(text) {
  const item = document.createElement("li");
  item.className = "msg msg--pending";
  item.textContent = text;
  return item;
}

/** @returns {{mute: (seconds) => void, stop: () => void}} */
export function compose(root, label, { said, saying }) {
  const part = partsOf(root);
  const form = part("say");
  const field = form.elements.text;
  const pending = part("pending");
  let lastNotice = -Infinity;

  const complain = (text) => setLine(part("trouble"), text);
  const fit = () => {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight + 3, 180)}px`;
  };
  const outbox = new Outbox(label, {
    changed: (texts) => {
      pending.replaceChildren(...texts.map(pendingItem));
      pending.hidden = !texts.length;
    },
    said: (message) => {
      complain("");
      said(message);
    },
    refused: (error, text) => {
      complain(words(error));
      field.value = [text, field.value].filter(Boolean).join("\n"); // nothing written is lost
      fit();
    },
    slow: (error) => complain(words(error)),
  });

  const submit = (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    fit();
    complain("");
    lastNotice = -Infinity;
    outbox.send(text);
    saying();
    field.focus();
  };
  const press = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  };
  const type = () => {
    fit();
    if (!field.value || !connection.session || performance.now() - lastNotice < TYPING) return;
    lastNotice = performance.now();
    connection.call("chat.typing", [label]).catch(() => {});
  };
  const silence = muting(form, part("muted"));
  form.addEventListener("submit", submit);
  field.addEventListener("keydown", press);
  field.addEventListener("input", type);
  return {
    mute: silence,
    stop: () => {
      silence(0);
      outbox.stop();
      form.removeEventListener("submit", submit);
      field.removeEventListener("keydown", press);
      field.removeEventListener("input", type);
    },
  };
}
