/**
 * One host on the dashboard. Everything that comes from hosts is set as text.
 *
 * <li class="host" data-host="…"> <a data-part="title"> <span data-part="state">
 *   <span data-part="labels"> <div data-part="spark">
 *   <div data-group="show_cpus"> <dd data-part="cpu"> <rect data-part="cpu-fill"> … </li>
 */
import { partsOf, setText } from "../dom.js";
import { drawState, fill } from "./gauge.js";
import { Spark } from "./spark.js";
import { degrees, most, percent, rate, sum } from "./units.js";

export class Card {
  visible = false;
  dirty = true;
  #part;

  constructor(element, state) {
    this.element = element;
    this.state = state;
    this.#part = partsOf(element);
    this.spark = new Spark(this.#part("spark"));
    this.groups = [...element.querySelectorAll("[data-group]")];
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
    this.element.dataset.state = state.state;
    setText(this.#part("title"), state.title);
    drawState(this.#part("state"), state);
    setText(this.#part("labels"), state.labels.join(" · "));
    for (const group of this.groups) group.hidden = !state.shows(group.dataset.group);
    this.#gauge("cpu", state.value("cpu"));
    this.#gauge("memory", state.value("memory")?.ratio);
    this.#gauge(
      "disk",
      most(state.value("disks"), ({ ratio }) => ratio ?? 0),
    );
    setText(this.#part("received"), rate(sum(state.value("network"), "received")));
    setText(this.#part("sent"), rate(sum(state.value("network"), "sent")));
    setText(this.#part("temperature"), degrees(most(state.value("temperatures"))));
    this.spark.draw();
  }

  #gauge(name, ratio) {
    setText(this.#part(name), percent(ratio));
    fill(this.#part(`${name}-fill`), ratio ?? 0);
  }
}
