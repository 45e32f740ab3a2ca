/**
 * Keeps what is shown of hosts true: subscribes, then asks for the snapshot, and does both again after each reconnect.
 *
 * follow({ "monitor.presence.": (host, presence) => {} }, { snapshot: async () => data, apply: (data) => {} })
 *
 * The host comes from the topic, which the router lets only that host's agent and the hub publish to; what stands in a payload is only
 * somebody's word. Events during the snapshot are handled after it. @returns {{stop(): void, refresh(): void}}
 */
import { delay, pause } from "../backoff.js";
import { connection } from "wampflask";

const KEEP = 2000; // events held while a snapshot is on its way: only the newest of each matter
const TOGETHER = 400; // ms in which several wishes for a snapshot become one

export function follow(topics, { snapshot, apply }) {
  let round = null;
  let wish = null;

  const ask = async (mine) => {
    mine.waiting ??= [];
    for (let failures = 0; round === mine && mine.session.alive; failures += 1) {
      try {
        const data = await snapshot();
        if (round !== mine) return;
        const waiting = mine.waiting;
        mine.waiting = null;
        apply(data);
        waiting.forEach((tell) => tell());
        return;
      } catch {
        await pause(delay(failures, { base: 500, cap: 5000 }));
      }
    }
  };
  const listen = (mine, topic, handler) => mine.session.subscribe(topic, (payload, where) => {
    if (round !== mine) return;
    const tell = () => handler(where.slice(where.lastIndexOf(".") + 1), payload);
    if (!mine.waiting) tell();
    else if (mine.waiting.push(tell) > KEEP) mine.waiting.shift();
  });

  connection.start();
  const remove = connection.use(async (session) => {
    const mine = round = { session, waiting: [] };
    await Promise.all(Object.entries(topics).map(([topic, handler]) => listen(mine, topic, handler)));
    await ask(mine);
  });
  return {
    refresh() {
      if (wish || !round) return;
      wish = setTimeout(() => { wish = null; if (round) ask(round); }, TOGETHER);
    },
    stop() {
      clearTimeout(wish);
      remove();
      round = null;
    },
  };
}

export async function fetchJson(url) {
  const answer = await fetch(url, { cache: "no-store", headers: { Accept: "application/json" } });
  if (answer.redirected || !answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer.json();
}
