/** Which hosts the dashboard shows, and in which order. */
import { most } from "./units.js";

const STATES = { offline: 0, online: 1, disabled: 2 };

const title = (state) => state.title.toLocaleLowerCase();

/** Sort keys of a HostState; what is not known comes last. */
const KEYS = {
  name: title,
  state: ({ state }) => STATES[state],
  cpu: (state) => -(state.value("cpu") ?? -1),
  memory: (state) => -(state.value("memory")?.ratio ?? -1),
  disk: (state) => -(most(state.value("disks"), ({ ratio }) => ratio ?? 0) ?? -1),
};

const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

/** @param {{state: HostState}[]} cards  @returns those cards, ordered by a key, then by name */
export function ordered(cards, by) {
  return cards
    .map((card) => ({ card, key: KEYS[by](card.state), name: title(card.state) }))
    .sort((a, b) => compare(a.key, b.key) || compare(a.name, b.name))
    .map(({ card }) => card);
}

/** Whether every word of a filter stands in a host's title, address or labels. */
export function matches(state, filter) {
  const text = [state.title, state.facts.ip, ...state.labels].join("\n").toLocaleLowerCase();
  return filter
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** "2 online · 1 offline" */
export function summary(states) {
  const counts = { online: 0, offline: 0, disabled: 0 };
  for (const { state } of states) counts[state] += 1;
  const told = Object.entries(counts).filter(([, count]) => count);
  return told.map(([state, count]) => `${count} ${state}`).join(" · ");
}
