/**
 * What can be done with a message: its author edits and deletes, moderators delete, mute and ban.
 *
 * <li data-message data-person> <details data-message-part="menu"><summary> <button data-act="edit|delete|mute|ban"> </details>
 */
import { ask } from "../ask.js";
import { connection } from "wampflask";
import { words } from "../words.js";

const QUESTIONS = {
  delete: () => ["Delete this message? Its text is gone for good.", "Delete"],
  mute: (name) => [`Mute ${name} in this room for 15 minutes? They can read, but not write.`, "Mute"],
  ban: (name) => [`Ban ${name} from this room? They are shut out at once.`, "Ban"],
};

export class Tools {
  #root;
  #label;
  #room;
  #complain;
  me = null;
  moderator = false;

  /** @param {{take: (message) => void}} room  @param complain shows why something was refused */
  constructor(root, label, room, complain) {
    this.#root = root;
    this.#label = label;
    this.#room = room;
    this.#complain = complain;
    root.addEventListener("click", this.#click);
  }

  stop() {
    this.#root.removeEventListener("click", this.#click);
  }

  /** Shows which of the tools are for this reader. */
  fit(item) {
    const mine = Number(item.dataset.person) === this.me?.id;
    const gone = item.classList.contains("msg--deleted");
    const may = { edit: mine && !gone, delete: (mine || this.moderator) && !gone, mute: this.moderator && !mine, ban: this.moderator && !mine };
    for (const button of item.querySelectorAll("[data-act]")) button.hidden = !may[button.dataset.act];
    item.querySelector('[data-message-part="menu"]').hidden = !Object.values(may).some(Boolean);
    item.classList.toggle("msg--mine", mine);
  }

  #click = async (event) => {
    const button = event.target.closest("[data-act]");
    const item = button?.closest("[data-message]");
    if (!item) return;
    button.closest("details").open = false;
    const { act } = button.dataset;
    const name = item.querySelector('[data-message-part="name"]').textContent;
    if (QUESTIONS[act] && !(await ask(...QUESTIONS[act](name)))) return;
    if (act === "edit") return this.#edit(item);
    await this.#do(act, item);
  };

  async #do(act, item) {
    const call = act === "delete"
      ? this.#call("chat.delete", [Number(item.dataset.message)]).then((message) => this.#room.take(message))
      : this.#call("chat.moderate", [Number(item.dataset.person), act]);
    await this.#answered(call);
    if (act !== "delete") this.#root.dispatchEvent(new CustomEvent("chat:moderated"));
  }

  #edit(item) {
    const text = item.querySelector('[data-message-part="text"]');
    if (item.querySelector("form")) return;
    const form = this.#root.querySelector('template[data-chat="edit"]').content.firstElementChild.cloneNode(true);
    const field = form.elements.text;
    field.value = text.textContent;
    const close = () => {
      form.remove();
      text.hidden = false;
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const saved = this.#call("chat.edit", [Number(item.dataset.message), field.value]).then((message) => this.#room.take(message));
      if (await this.#answered(saved)) close();
    });
    form.addEventListener("click", (event) => event.target.closest("[data-edit-cancel]") && close());
    form.addEventListener("keydown", (event) => event.key === "Escape" && close());
    text.hidden = true;
    text.after(form);
    field.focus();
  }

  #call(procedure, args) {
    return connection.call(procedure, [this.#label, ...args]);
  }

  async #answered(call) {
    try {
      await call;
      this.#complain("");
      return true;
    } catch (error) {
      this.#complain(words(error));
      return false;
    }
  }
}
