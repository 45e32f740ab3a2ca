import { connection } from "../wamp/index.js";

export function connect(box) {
  const show = (text) => { box.querySelector("output").textContent = text; };
  const ask = () => connection.call("demo.uuid").then(show, () => show("Not connected, try again."));
  box.querySelector("button").onclick = ask;
  connection.start();
  return connection.use(ask);
}
