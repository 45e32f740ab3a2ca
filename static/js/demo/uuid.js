import { connection } from "wampflask";

export function connect(box) {
  const show = (text) => {
    box.querySelector("output").textContent = text;
  };
  const ask = () =>
    connection.call("demo.uuid").then(show, () => show("Not connected, try again."));
  box.querySelector("button").onclick = ask;
  return connection.use(ask);
}
