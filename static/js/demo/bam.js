import { connection } from "../wamp/index.js";

export function connect(box) {
  const list = box.querySelector("ul");
  const bam = () => {
    list.append(Object.assign(document.createElement("li"), { textContent: "bam" }));
    if (list.children.length > 50) list.firstChild.remove();
  };
  box.querySelector("button").onclick = () => connection.session?.publish("demo.bam").then(bam, console.warn);
  connection.start();
  return connection.use((session) => session.subscribe("demo.bam", bam));
}
