import { call, subscribe } from "wampflask";

const film = `film.${location.hash.slice(1)}`;
const button = document.querySelector("button");
const volume = document.querySelector("input");
const show = (state) => {
  button.textContent = state.playing ? "Pause" : "Play";
  volume.value = state.volume;
};

subscribe(`${film}.state`, show);
call(`${film}.status`).then(show);
button.onclick = () => call(`${film}.${button.textContent.toLowerCase()}`);
volume.oninput = () => call(`${film}.volume`, [Number(volume.value)]);
