import { publish, subscribe } from "wampflask";

export function connect(box) {
  const list = box.querySelector("ul");
  const bam = () => {
    list.append(Object.assign(document.createElement("li"), { textContent: "bam" }));
    if (list.children.length > 50) list.firstChild.remove();
  };
  box.querySelector("button").onclick = () => publish("demo.bam").then(bam, console.warn);
  return subscribe("demo.bam", bam);
}
