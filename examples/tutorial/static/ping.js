import { subscribe } from "wampflask";

const output = document.querySelector("output");
subscribe("demo.ping", () => {
  output.textContent = Number(output.textContent) + 1;
});
