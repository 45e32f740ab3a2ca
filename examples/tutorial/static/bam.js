import { publish, subscribe } from "wampflask";

const list = document.querySelector("p");
subscribe("demo.bam", () => list.append("bam "));
document.querySelector("button").onclick = () => publish("demo.bam", [], { exclude_me: false });
