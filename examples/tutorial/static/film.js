import { connection, publish, register } from "wampflask";

const video = document.querySelector("video");
const { film, proof } = video.dataset;
const state = () => ({ playing: !video.paused, volume: video.volume });
const acts = {
  play: () => video.play(),
  pause: () => video.pause(),
  volume: (level) => { video.volume = level; },
  status: () => {},
};

connection.proofs.set("film", proof); // from now on this page's tickets claim the film
for (const [name, act] of Object.entries(acts)) {
  register(`film.${film}.${name}`, async (args) => { await act(...args); return state(); });
}
for (const change of ["play", "pause", "volumechange"]) {
  video.addEventListener(change, () => publish(`film.${film}.state`, [state()]));
}
