/**
 * Who is muted or banned, for moderators, with a button that lifts it.
 *
 * <section data-part="sanctions" hidden> <ul data-part="sanctioned"> </section>
 */
import { connection } from "wampflask";
import { partsOf } from "../dom.js";

export function sanctions(root, label) {
  const part = partsOf(root);
  const section = part("sanctions");

  const draw = (found) => {
    section.hidden = !found.length;
    part("sanctioned").replaceChildren(
      ...found.map(({ person, banned }) => {
        const item = document.createElement("li");
        const name = document.createElement("span");
        name.textContent = `${person.name} (${banned ? "banned" : "muted"})`;
        const button = document.createElement("button");
        button.type = "button";
        button.className = "button button--quiet";
        button.textContent = banned ? "Unban" : "Unmute";
        button.addEventListener("click", async () => {
          const act = banned ? "unban" : "unmute";
          draw(await connection.call("chat.moderate", [label, person.id, act]));
        });
        item.append(name, button);
        return item;
      }),
    );
  };
  return async () => {
    try {
      draw(await connection.call("chat.sanctions", [label]));
    } catch {
      section.hidden = true; // asked again with the next reconnect
    }
  };
}
