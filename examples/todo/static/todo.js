import { call, presence, register, subscribe } from "wampflask";
const at = (id) => document.getElementById(id);
const { team } = document.body.dataset;
presence(`todo.team.${team}`, (people) => { at("here").textContent = [...people.values()].map(({ name }) => name).join(", "); });
subscribe("todo.notice", ({ text }) => { at("notice").textContent = text; });
subscribe("todo.progress", ({ done, total }) => Object.assign(at("progress"), { value: done, max: total }));
register("todo.confirm.{session}", ([question]) => confirm(question));
at("clear").addEventListener("click", () => call(`todo.clear.${team}`, [], { timeout: 70_000 }));
