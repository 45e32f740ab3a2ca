import { subscribe } from "wampflask";

export function connect(box) {
  let count = 0;
  return subscribe("demo.ping", () => {
    box.querySelector("output").textContent = ++count;
  });
}
