import { connection } from "../wamp/index.js";

export function connect(box) {
  let count = 0;
  const ping = () => { box.querySelector("output").textContent = ++count; };
  connection.start();
  return connection.use((session) => session.subscribe("demo.ping", ping));
}
