/**
 * A chat room: puts the parts of this folder together.
 *
 * <section data-behaviour="chat/room" data-label="quiet-otter-42" data-version="17" data-more="true"> …
 */
import { compose } from "./compose.js";
import { Log } from "./log.js";
import { naming } from "./name.js";
import { keepScrolling } from "./older.js";
import { People } from "./people.js";
import { sanctions } from "./sanctions.js";
import { follow } from "./stream.js";
import { Tools } from "./tools.js";
import { markUnread } from "./unread.js";
import { words } from "../words.js";

export function connect(root) {
  const { label, version, more } = root.dataset;
  const log = new Log(root, more === "true");
  const people = new People(root);
  if (matchMedia("(max-width: 46rem)").matches) root.querySelector('[data-chat="people-fold"]').open = false;
  const complain = (text) => {
    const trouble = root.querySelector('[data-chat="trouble"]');
    trouble.textContent = text;
    trouble.hidden = !text;
  };
  const moderated = sanctions(root, label);
  const knowMe = (me) => {
    people.me = me;
    tools.me = me;
    names.show(me);
  };
  const room = follow(label, {
    since: Number(version),
    message: (message) => {
      log.put(message);
      people.said(message.person);
    },
    people: (found) => people.show(found),
    muted: (seconds) => composer.mute(seconds),
    typing: (person) => people.types(person),
    entered: ({ me, moderator }) => {
      knowMe(me);
      tools.moderator = moderator;
      for (const item of log.items) tools.fit(item);
      root.dataset.entered = "true";
      if (moderator) moderated();
    },
    refused: (error) => shut(words(error, "You cannot be in this room.")),
  });
  const tools = new Tools(root, label, room, complain);
  const names = naming(root, label, knowMe);
  const composer = compose(root, label, { said: room.take, saying: () => log.toEnd() });
  const stops = [
    room.stop,
    composer.stop,
    keepScrolling(root, label, log),
    markUnread(root, label, log, (message) => message.person === people.me?.id),
    () => tools.stop(),
    () => people.stop(),
    names.stop,
  ];
  const shut = (why) => {
    root.dataset.entered = "false";
    composer.mute(0);
    const notice = root.querySelector('[data-chat="shut"]');
    notice.textContent = why;
    notice.hidden = false;
    root.querySelectorAll("[data-chat=say] :is(textarea, button)").forEach((control) => { control.disabled = true; });
  };
  log.addEventListener("drawn", ({ detail: item }) => tools.fit(item));
  root.addEventListener("chat:moderated", moderated);
  return () => stops.forEach((stop) => stop());
}
