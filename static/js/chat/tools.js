/**
 * What can be done with a message: its author edits and deletes, moderators delete, mute and ban.
 * Longer than other modules, since showing, confirming and calling depend on one list of tools.
 *
 * <li data-message data-person> <strong data-part="name">  <p data-part="text">
 *   <details data-part="menu"> <button data-act="edit|delete|mute|ban"> </details>
 */
import { connection } from "wampflask";
import { ask } from "../ask.js";
import { partsOf } from "../dom.js";
import { words } from "../words.js";
import { editMessage } from "./edit.js";

const QUESTIONS = {
  delete: () => ["Delete this message? You can't undo this.", "Delete"],
  mute: (name) => [`Mute ${name} in this room for 15 minutes? They can still read.`, "Mute"],
  ban: (name) => [`Ban ${name} from this room? They lose access at once.`, "Ban"],
};

export class Tools {
  #root;
  #label;
  #take;
  #complain;
  me = null;
  moderator = false;

  /** @param take is given what a message has become  @param complain shows why something failed */
  constructor(root, label, take, complain) {
    this.#root = root;
    this.#label = label;
    this.#take = take;
    this.#complain = complain;
    root.addEventListener("click", this.#click);
  }

  stop() {
    this.#root.removeEventListener("click", this.#click);
  }

  /** Shows the tools that this person may use. */
  fit(item) {
    const mine = Number(item.dataset.person) === this.me?.id;
    const gone = item.classList.contains("msg--deleted");
    const moderates = this.moderator && !mine;
    const may = {
      edit: mine && !gone,
      delete: (mine || this.moderator) && !gone,
      mute: moderates,
      ban: moderates,
    };
    for (const button of item.querySelectorAll("[data-act]"))
      button.hidden = !may[button.dataset.act];
    partsOf(item)("menu").hidden = !Object.values(may).some(Boolean);
    item.classList.toggle("msg--mine", mine);
  }

  #click = async (event) => {
    const button = event.target.closest("[data-act]");
    const item = button?.closest("[data-message]");
    if (!item) return;
    button.closest("details").open = false;
    const { act } = button.dataset;
    const name = partsOf(item)("name").textContent;
    if (QUESTIONS[act] && !(await ask(...QUESTIONS[act](name)))) return;
    await this.#acts[act](item);
  };

  #acts = {
    edit: (item) =>
      editMessage(item, partsOf(this.#root)("edit"), (text) => this.#change("edit", item, [text])),
    delete: (item) => this.#change("delete", item),
    mute: (item) => this.#moderate("mute", item),
    ban: (item) => this.#moderate("ban", item),
  };

  /** @returns {Promise<boolean>} whether it was done */
  #change(verb, item, args = []) {
    return this.#answered(async () => {
      this.#take(await this.#call(`chat.${verb}`, [Number(item.dataset.message), ...args]));
    });
  }

  async #moderate(act, item) {
    await this.#answered(() => this.#call("chat.moderate", [Number(item.dataset.person), act]));
    this.#root.dispatchEvent(new CustomEvent("chat:moderated"));
  }

  #call(procedure, args) {
    return connection.call(procedure, [this.#label, ...args]);
  }

  async #answered(work) {
    try {
      await work();
      this.#complain("");
      return true;
    } catch (error) {
      this.#complain(words(error));
      return false;
    }
  }
}
