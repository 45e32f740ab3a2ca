import { subscribe } from "wampflask";

export function connect(box) {
  const [pings, pongs] = box.querySelectorAll("output");
  const count = (topic, shown) =>
    subscribe(topic, () => (shown.textContent = +shown.textContent + 1));
  const ends = [count("demo.ping", pings), count("demo.pong", pongs)];
  return () => ends.forEach((end) => end());
}
