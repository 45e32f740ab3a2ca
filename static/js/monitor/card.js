/**
 * One host on the dashboard. Everything that comes from hosts is set as text.
 *
 * <li class="host" data-host="…"> <a data-part="title"> <span data-part="state"> <span data-part="labels"> <div data-part="spark">
 *   <div data-group="show_cpus"> <dd data-figure="cpu"> <rect data-fill="cpu"> … </li>
 */
import { degrees, level, moment, percent, rate, setText, sum, worst } from "./units.js";
import { Spark } from "./spark.js";

const WORDS = { online: "Online", disabled: "Disabled" };

export class Card {
  visible = false;
  dirty = true;

  constructor(element, state) {
    this.element = element;
    this.state = state;
    this.spark = new Spark(this.#part("spark"));
    this.figures = new Map([...element.querySelectorAll("[data-figure]")].map((one) => [one.dataset.figure, one]));
    this.fills = new Map([...element.querySelectorAll("[data-fill]")].map((one) => [one.dataset.fill, one]));
    this.groups = [...element.querySelectorAll("[data-group]")];
  }

  #part(name) {
    return this.element.querySelector(`[data-part="${name}"]`);
  }

  /** Sort keys; what is not known comes last. */
  key(by) {
    if (by === "name") return this.state.title.toLocaleLowerCase();
    if (by === "state") return { offline: 0, online: 1, disabled: 2 }[this.state.state];
    if (by === "disk") return -worst(this.state.value("disks"), "ratio");
    return -((by === "memory" ? this.state.value("memory")?.ratio : this.state.value(by)) ?? -1);
  }

  matches(words) {
    const text = [this.state.title, this.state.facts.ip, ...this.state.labels].join("\n").toLocaleLowerCase();
    return words.every((word) => text.includes(word));
  }

  learn(facts) {
    this.state.learn(facts);
    this.dirty = true;
  }

  recall({ latest, spark }) {
    this.state.recall(latest);
    this.spark.load(spark);
    this.dirty = true;
  }

  report(sample) {
    if (!this.state.report(sample)) return;
    this.spark.add(sample.time, this.state.value("cpu"), this.state.value("memory")?.ratio);
    this.dirty = true;
  }

  draw() {
    this.dirty = false;
    const { state } = this;
    const title = this.#part("title");
    setText(title, state.title);
    this.element.dataset.state = state.state;
    setText(this.#part("state"), WORDS[state.state] ?? `Offline, last seen ${moment(state.facts.last_seen)}`);
    setText(this.#part("labels"), state.labels.join(" · "));
    for (const group of this.groups) group.hidden = !state.shows(group.dataset.group);
    this.#figure("cpu", percent(state.value("cpu")), state.value("cpu"));
    this.#figure("memory", percent(state.value("memory")?.ratio), state.value("memory")?.ratio);
    const disk = state.value("disks") && worst(state.value("disks"), "ratio");
    this.#figure("disk", percent(disk), disk);
    const network = state.value("network");
    this.#figure("received", network ? rate(sum(network, "received")) : "–");
    this.#figure("sent", network ? rate(sum(network, "sent")) : "–");
    const temperatures = Object.values(state.value("temperatures") ?? {});
    this.#figure("temperature", temperatures.length ? degrees(Math.max(...temperatures)) : "–");
    this.spark.draw();
  }

  #figure(name, text, ratio) {
    setText(this.figures.get(name), text);
    const fill = this.fills.get(name);
    if (!fill) return;
    fill.setAttribute("width", `${Math.round((ratio ?? 0) * 1000) / 10}%`);
    fill.dataset.level = level(ratio ?? 0);
  }
}
