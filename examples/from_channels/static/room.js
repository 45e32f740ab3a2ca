import { call, subscribe } from "wampflask";

const { room } = document.body.dataset;
const log = document.getElementById("log");
const form = document.querySelector("form");

subscribe(`chat.${room}`, (message) => { log.value += `${message}\n`; }); // chatSocket.onmessage
form.onsubmit = (event) => {
  event.preventDefault();
  call(`chat.${room}.send`, [form.message.value]); // chatSocket.send(JSON.stringify(…))
  form.reset();
};
