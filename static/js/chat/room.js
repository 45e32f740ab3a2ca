/**
 * A chat room: puts the parts of this folder together.
 *
 * <section data-behaviour="chat/room" data-label="quiet-otter-42" data-version="17"
 *     data-more="true">
 */
import { partsOf, setLine } from "../dom.js";
import { words } from "../words.js";
import { compose } from "./compose.js";
import { follow } from "./follow.js";
import { Log } from "./log.js";
import { naming } from "./name.js";
import { keepScrolling } from "./older.js";
import { People } from "./people.js";
import { sanctions } from "./sanctions.js";
import { Tools } from "./tools.js";
import { markUnread } from "./unread.js";

export function connect(root) {
  const { label, version, more } = root.dataset;
  const part = partsOf(root);
  const log = new Log(root, more === "true");
  const people = new People(root);
  if (matchMedia("(max-width: 46rem)").matches) part("people-fold").open = false;
  const complain = (text) => setLine(part("trouble"), text);
  const moderated = sanctions(root, label);
  const knowMe = (me) => {
    people.me = me;
    tools.me = me;
    names.show(me);
  };
  const take = (message) => {
    log.put(message);
    people.said(message.person);
  };
  const tools = new Tools(root, label, take, complain);
  const names = naming(root, label, knowMe);
  const composer = compose(root, label, { said: take, saying: () => log.toEnd() });
  const leave = follow(label, Number(version), {
    message: take,
    people: (found) => people.show([...found.values()]),
    muted: ({ seconds }) => composer.mute(seconds),
    typing: (person) => people.types(person),
    entered: ({ me, moderator }) => {
      knowMe(me);
      setLine(part("shut"), "");
      tools.moderator = moderator;
      for (const item of log.items) tools.fit(item);
      root.dataset.entered = "true";
      if (moderator) moderated();
    },
    refused: (error) => shut(words(error, "You can't join this room.")),
  });
  const stops = [
    leave,
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
    setLine(part("shut"), why);
    for (const control of part("say").querySelectorAll("textarea, button")) control.disabled = true;
  };
  log.addEventListener("drawn", ({ detail: item }) => tools.fit(item));
  root.addEventListener("chat:moderated", moderated);
  return () => stops.forEach((stop) => stop());
}
