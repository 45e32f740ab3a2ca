/**
 * Who is muted or banned, for moderators, with a button that lifts it.
 *
 * <section data-chat="sanctions" hidden> <ul data-chat="sanctioned"> </section>
 */
import { connection } from "wampflask";

export function sanctions(root, label) {
  const section = root.querySelector('[data-chat="sanctions"]');
  const list = root.querySelector('[data-chat="sanctioned"]');

  const draw = (found) => {
    section.hidden = !found.length;
    list.replaceChildren(...found.map(({ person, banned }) => {
      const item = document.createElement("li");
      const name = document.createElement("span");
      name.textContent = `${person.name} (${banned ? "banned" : "muted"})`;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button button--quiet";
      button.textContent = banned ? "Unban" : "Unmute";
      button.addEventListener("click", async () => {
        draw(await connection.call("chat.moderate", [label, person.id, banned ? "unban" : "unmute"]));
      });
      item.append(name, button);
      return item;
    }));
  };
  return async () => {
    try {
      draw(await connection.call("chat.sanctions", [label]));
    } catch {
      section.hidden = true; // asked again with the next reconnect
    }
  };
}
