import { call, presence, subscribe } from "wampflask";

const log = document.getElementById("log");
const show = (text) => {
  if (text !== null) log.append(Object.assign(document.createElement("li"), { textContent: text }));
};

subscribe("talk.response", show);          // socket.on("my_response", show)
subscribe("talk.room.kitchen", show);      // socket.emit("join", {room: "kitchen"})
presence("talk.room.kitchen", (people) => {
  document.getElementById("here").textContent = people.size;
});
document.querySelector("form").onsubmit = async (event) => {
  event.preventDefault();                  // socket.emit("my_event", {data: …})
  show(await call(`talk.${event.submitter.name}`, [event.target.text.value]));
};
