/**
 * The field to write in: Enter says it, Shift+Enter begins a new line. What is on its way stands below the messages, and stays there
 * while the connection is away.
 *
 * <form data-chat="say"> <textarea name="text"> <button> <p data-chat="trouble" role="alert"> </form>  <ol data-chat="pending">
 */
import { connection } from "wampflask";
import { muting } from "./muting.js";
import { Outbox } from "./outbox.js";
import { words } from "../words.js";

const TYPING = 3000; // ms between two notices that we are typing

/** @returns {{mute: (seconds) => void, stop: () => void}} */
export function compose(root, label, { said, saying }) {
  const form = root.querySelector('[data-chat="say"]');
  const field = form.elements.text;
  const trouble = root.querySelector('[data-chat="trouble"]');
  const pending = root.querySelector('[data-chat="pending"]');
  let told = -Infinity;

  const complain = (text) => {
    trouble.textContent = text;
    trouble.hidden = !text;
  };
  const fit = () => {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight + 3, 180)}px`;
  };
  const outbox = new Outbox(label, {
    changed: (texts) => {
      pending.replaceChildren(...texts.map((text) => {
        const item = document.createElement("li");
        item.className = "msg msg--pending";
        item.textContent = text;
        return item;
      }));
      pending.hidden = !texts.length;
    },
    said: (message) => {
      complain("");
      said(message);
    },
    refused: (error, text) => {
      complain(words(error));
      field.value = [text, field.value].filter(Boolean).join("\n"); // nothing that was written is lost
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
    told = -Infinity;
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
    if (!field.value || !connection.session || performance.now() - told < TYPING) return;
    told = performance.now();
    connection.call("chat.typing", [label]).catch(() => {});
  };
  const silence = muting(form, root.querySelector('[data-chat="muted"]'));
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
