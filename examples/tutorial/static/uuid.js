import { call } from "wampflask";

const output = document.querySelector("output");
document.querySelector("button").onclick = async () => {
  output.textContent = await call("demo.uuid");
};
