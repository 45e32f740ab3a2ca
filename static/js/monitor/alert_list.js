/**
 * Alerts, the newest first; what is resolved leaves the dashboard's list, and stays on a host's page.
 *
 * <section data-monitor="alerts" data-keep="false" data-may="true"> <ul data-alerts="list"> <template data-alerts="one"> <p data-alerts="none">
 */
import { moment, setText } from "./units.js";

const WORDS = { open: "Open", acknowledged: "Acknowledged", resolved: "Resolved" };

export class AlertList {
  #root;
  #shown = new Map();

  constructor(root) {
    this.#root = root;
  }

  load(alerts) {
    this.#shown.clear();
    this.#part("list").replaceChildren();
    [...alerts].reverse().forEach((alert) => this.take(alert));
    this.#count();
  }

  take(alert) {
    const known = this.#shown.get(alert.id);
    const leaves = alert.state === "resolved" && this.#root.dataset.keep !== "true";
    if (leaves) {
      known?.remove();
      this.#shown.delete(alert.id);
    } else {
      const element = known ?? this.#part("one").content.firstElementChild.cloneNode(true);
      this.#draw(element, alert);
      if (!known) this.#part("list").prepend(element);
      this.#shown.set(alert.id, element);
    }
    this.#count();
  }

  #part(name) {
    return this.#root.querySelector(`[data-alerts="${name}"]`);
  }

  #draw(element, alert) {
    const part = (name) => element.querySelector(`[data-alert="${name}"]`);
    element.dataset.state = alert.state;
    setText(part("text"), alert.text);
    const until = alert.resolved ? ` to ${moment(alert.resolved)}` : "";
    const who = alert.acknowledged_by ? ` by ${alert.acknowledged_by}` : "";
    setText(part("state"), `${WORDS[alert.state] ?? ""}${alert.state === "acknowledged" ? who : ""}`);
    setText(part("when"), `${moment(alert.opened)}${until}`);
    const form = part("form");
    if (!form) return;
    form.hidden = alert.state !== "open";
    form.action = form.dataset.action.replace("0", alert.id);
  }

  #count() {
    this.#root.hidden = !this.#shown.size && this.#root.dataset.keep !== "true";
    const none = this.#part("none");
    if (none) none.hidden = this.#shown.size > 0;
  }
}
