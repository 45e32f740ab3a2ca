/**
 * Live things: the greatest number of the present session is shown, in whatever order events and
 * answers come.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { live } from "../../wampflask/browser/live.js";
import { presence } from "../../wampflask/browser/presence.js";
import { HEARTBEAT, WORKER_LOST } from "../../wampflask/browser/uris.js";
import { Clock, settle } from "./clock.js";
import { newPage } from "./page.js";
import { reported } from "./router.js";

let clock;
let page;
let shown;
beforeEach(() => {
  clock = new Clock();
  page = newPage();
  shown = [];
  reported.length = 0;
});
afterEach(() => {
  page.connection.stop();
  clock.restore();
  mock.restoreAll();
});

const apply = (state) => shown.push(state);

/** The router's half: confirms subscriptions, and lets the test publish, and answer calls. */
class Realm {
  topics = new Map();
  refused = new Set([WORKER_LOST]);

  constructor(socket) {
    this.socket = socket;
    this.done = 0;
    const send = socket.send.bind(socket);
    socket.send = (text) => {
      // an idle page's heartbeats are answered
      const [type, id, , uri] = JSON.parse(text);
      send(text);
      if (type === 48 && uri === HEARTBEAT)
        queueMicrotask(() => socket.say([8, 48, id, {}, "wamp.error.no_such_procedure"]));
    };
  }

  /** Confirms what is to be confirmed. */
  async turn() {
    for (let busy = true; busy;) {
      await settle();
      const message = this.socket.sent[this.done];
      busy = Boolean(message);
      if (!busy) break;
      this.done += 1;
      const [type, id, , name] = message;
      if (type === 32 && this.refused.has(name))
        await this.socket.say([8, 32, id, {}, "wamp.error.not_authorized"]);
      else if (type === 32) {
        this.topics.set(name, 500 + id);
        await this.socket.say([33, id, 500 + id]);
      }
      if (type === 34) await this.socket.say([35, id]);
    }
  }

  get calls() {
    return this.socket.all(48).filter(([, , , uri]) => uri !== HEARTBEAT);
  }
  async answer(...args) {
    await this.socket.say([50, this.calls.at(-1)[1], {}, args]);
    await this.turn();
  }
  async fail(uri) {
    await this.socket.say([8, 48, this.calls.at(-1)[1], {}, uri]);
    await this.turn();
  }
  async publish(topic, ...args) {
    await this.socket.say([36, this.topics.get(topic), 1, {}, args]);
    await this.turn();
  }
}

async function joins(refused) {
  const realm = new Realm(await page.join());
  if (refused) realm.refused = new Set(refused);
  await realm.turn();
  return realm;
}

async function again() {
  page.socket.close();
  await clock.pass(500); // the connection's back-off
  return joins();
}

async function value(options) {
  const thing = live(page.connection, "shop.stock", apply, options);
  return { thing, realm: await joins() };
}

test("a value: subscribed, then asked, then every newer state", async () => {
  const { realm } = await value();
  assert.deepEqual(
    realm.calls.map(([, , , uri, args]) => [uri, args]),
    [["shop.stock", []]],
  );
  assert.ok(
    realm.socket.sent.findIndex(([type]) => type === 32) <
      realm.socket.sent.findIndex(([type]) => type === 48),
  );
  await realm.answer("a", 10);
  await realm.publish("shop.stock", "b", 11);
  await realm.publish("shop.stock", "old", 9);
  await realm.publish("shop.stock", "same", 11);
  assert.deepEqual(shown, ["a", "b"]);
});

test("an event before the answer: the greater number wins, whichever came first", async () => {
  const { realm } = await value();
  await realm.publish("shop.stock", "newer", 20);
  await realm.answer("older", 10);
  assert.deepEqual(shown, ["newer"]);
  const next = await again();
  await clock.pass(1000);
  await next.publish("shop.stock", "old", 5);
  await next.answer("now", 6);
  assert.deepEqual(shown, ["newer", "old", "now"]);
});

test("every interleaving of two events and an answer ends with the newest", async () => {
  const orders = [
    [1, 2, 3],
    [1, 3, 2],
    [2, 1, 3],
    [2, 3, 1],
    [3, 1, 2],
    [3, 2, 1],
  ];
  for (const kind of ["value", "rows"]) {
    for (const order of orders) {
      for (const asked of [1, 2, 3]) {
        const other = newPage();
        let last;
        live(
          other.connection,
          "t.x",
          (state) => {
            last = kind === "rows" ? state.get("k") : state;
          },
          { kind },
        );
        const realm = new Realm(await other.join());
        await realm.turn();
        for (const number of order) {
          if (number === asked)
            await realm.answer(kind === "rows" ? { k: number } : number, number);
          else
            await realm.publish("t.x", kind === "rows" ? { rows: { k: number } } : number, number);
        }
        assert.equal(last, 3, `${kind} ${order}, answered ${asked}`);
        other.connection.stop();
      }
    }
  }
});

test("a new session forgets the numbers: a restarted router counts from wherever it likes", async () => {
  const { realm } = await value();
  await realm.answer("a", 1000);
  const next = await again();
  await clock.pass(1000);
  await next.answer("b", 3);
  await next.publish("shop.stock", "c", 4);
  assert.deepEqual(shown, ["a", "b", "c"]);
});

test("a page that comes back asks at a time of its own, a new one at once", async () => {
  const { realm } = await value();
  assert.equal(realm.calls.length, 1);
  await realm.answer("a", 1);
  const next = await again();
  await clock.pass(499);
  assert.equal(next.calls.length, 0);
  await clock.pass(1);
  assert.equal(next.calls.length, 1);
});

test("an answer that fails is asked for again, later and later, and failed() hears of it", async () => {
  const failures = [];
  const { realm } = await value({
    failed: (error) => {
      failures.push(error.uri);
    },
  });
  await realm.fail("wamp.error.no_such_procedure");
  await clock.pass(249);
  assert.equal(realm.calls.length, 1);
  await clock.pass(1);
  await realm.fail("shop.error.busy");
  await clock.pass(500);
  await realm.answer("a", 1);
  assert.deepEqual(
    [shown, failures, page.failures],
    [["a"], ["wamp.error.no_such_procedure", "shop.error.busy"], []],
  );
});

test("refused: it rests until the next session, and says so", async () => {
  const refused = [];
  const { realm } = await value({ refused: (error) => refused.push(error.uri) });
  await realm.fail("wamp.error.not_authorized");
  await clock.pass(60_000);
  assert.deepEqual(
    [realm.calls.length, refused, realm.socket.all(34).length],
    [1, ["wamp.error.not_authorized"], 1],
  );
  const next = await again();
  await clock.pass(1000);
  await next.answer("a", 1);
  assert.deepEqual(shown, ["a"]);
});

test("failed() may say that it is of no use; without refused() the page hears of it", async () => {
  const { realm } = await value({ failed: (error) => error.uri !== "chat.error.banned" });
  await realm.fail("chat.error.banned");
  await clock.pass(60_000);
  assert.deepEqual(
    [realm.calls.length, page.failures.map((error) => error.uri)],
    [1, ["chat.error.banned"]],
  );
});

test("a topic that may not be subscribed is a refusal", async () => {
  live(page.connection, "t.secret", apply);
  const realm = await joins([WORKER_LOST, "t.secret"]);
  assert.deepEqual(
    [realm.calls.length, page.failures.map((error) => error.uri)],
    [0, ["wamp.error.not_authorized"]],
  );
});

test("stale: asked within half a second to a second, once for all of them", async () => {
  const { realm } = await value();
  await realm.answer("a", 1);
  for (const number of [2, 3, 4]) await realm.publish("shop.stock", null, number);
  await clock.pass(499);
  assert.equal(realm.calls.length, 1);
  await clock.pass(500);
  assert.equal(realm.calls.length, 2);
  await realm.answer("b", 5);
  await clock.pass(5000);
  assert.deepEqual([realm.calls.length, shown], [2, ["a", "b"]]);
});

test("stale, and the state comes another way: not asked", async () => {
  const { realm } = await value({
    version: (state) => state.v,
    stale: (state) => state === null || state.vague,
  });
  await realm.answer({ v: 1 });
  await realm.publish("shop.stock", { v: 3, vague: true });
  await realm.publish("shop.stock", { v: 3 });
  await clock.pass(5000);
  assert.deepEqual([realm.calls.length, shown], [1, [{ v: 1 }, { v: 3 }]]);
});

test("stale while an answer is on its way: asked again if that is older", async () => {
  const { realm } = await value();
  await realm.publish("shop.stock", null, 20);
  await clock.pass(1000);
  await realm.answer("before", 10);
  assert.equal(realm.calls.length, 2);
  await realm.answer("after", 21);
  assert.deepEqual(shown, ["before", "after"]);
});

test("nothing there for us: gone(), or a state of null", async () => {
  const gone = [];
  const { realm } = await value({ gone: () => gone.push(true) });
  await realm.answer(null, 5);
  assert.deepEqual([shown, gone], [[], [true]]);
  live(page.connection, "shop.other", apply);
  await realm.turn();
  await realm.answer(null, 6);
  assert.deepEqual(shown, [null]);
});

test("without numbers the order of arrival counts, and the console says so once", async () => {
  const warn = mock.method(console, "warn", () => {});
  const { realm } = await value();
  await realm.publish("shop.stock", "during the question");
  assert.deepEqual(shown, []);
  await realm.answer("asked before");
  await realm.publish("shop.stock", "later");
  assert.deepEqual(shown, ["asked before", "during the question", "later"]);
  assert.equal(warn.mock.callCount(), 1);
});

test("a single writer's own count: unpack, and a topic of its own shape", async () => {
  const { realm } = await value({
    unpack: (args, topic) => ({ state: [topic, args[1]], number: args[0].seq }),
    ask: async () => ({ state: ["asked"], number: 1 }),
  });
  await realm.publish("shop.stock", { seq: 2 }, "b");
  await realm.publish("shop.stock", { seq: 1 }, "a");
  assert.deepEqual(shown, [["asked"], ["shop.stock", "b"]]);
});

test("further topics, from an answer", async () => {
  const { realm } = await value({
    ask: async (session) => ({ state: await session.call("polls.results"), topics: ["polls.k1"] }),
    version: (state) => state.v,
  });
  await realm.answer({ v: 1 });
  assert.ok(realm.topics.has("polls.k1"));
  assert.equal(
    realm.calls.length,
    2,
    "asked once more, as events may have been missed before the new topic was confirmed",
  );
  await realm.answer({ v: 1 });
  await realm.publish("polls.k1", { v: 2 });
  assert.deepEqual(shown, [{ v: 1 }, { v: 1 }, { v: 2 }]);
});

test("topics may depend on the session, and are asked for again with it; restart() moves", async () => {
  let room = "one";
  let tries = 0;
  const thing = live(
    page.connection,
    async (session) => {
      tries += 1;
      if (tries === 1) throw new Error("not yet");
      assert.ok(session.alive);
      return `room.${room}`;
    },
    apply,
  );
  const realm = await joins();
  await clock.pass(250);
  await realm.turn();
  await realm.answer("a", 1);
  room = "two";
  thing.restart();
  await realm.turn();
  assert.deepEqual(
    [realm.socket.all(34).length, [...realm.topics.keys()]],
    [1, ["room.one", "room.two"]],
  );
  await realm.answer("b", 2);
  await realm.publish("room.one", "old room", 3);
  await realm.publish("room.two", "c", 4);
  assert.deepEqual(shown, ["a", "b", "c"]);
});

test("stop ends everything", async () => {
  const { thing, realm } = await value({ every: 5 });
  await realm.answer("a", 1);
  thing.stop();
  await realm.turn();
  await clock.pass(60_000);
  assert.equal(realm.socket.all(34).length, 1);
  assert.equal(realm.calls.length, 1);
  thing.stop();
});

test("stop while an answer is on its way shows nothing more", async () => {
  const { thing, realm } = await value();
  thing.stop();
  await realm.answer("a", 1);
  assert.deepEqual(shown, []);
});

test("every: looks again, but only while the page is seen; refresh() looks now", async () => {
  try {
    const { thing, realm } = await value({ every: 12 });
    await realm.answer("a", 1);
    await clock.pass(12_000);
    await realm.answer("b", 2);
    document.visibilityState = "hidden";
    await clock.pass(60_000);
    assert.equal(realm.calls.length, 2);
    document.visibilityState = "visible";
    document.dispatchEvent(new Event("visibilitychange"));
    await settle();
    await realm.answer("c", 3);
    thing.refresh(400);
    thing.refresh(400);
    await clock.pass(400);
    await realm.answer("d", 4);
    assert.deepEqual(shown, ["a", "b", "c", "d"]);
    thing.stop();
  } finally {
    document.visibilityState = "visible";
  }
});

test("a worker is lost: asked again, spread over five seconds", async () => {
  live(page.connection, "shop.stock", apply);
  const realm = await joins([]);
  await realm.answer("a", 1);
  await realm.publish(WORKER_LOST, { lost: true });
  await realm.publish(WORKER_LOST, { lost: true });
  await clock.pass(2499);
  assert.equal(realm.calls.length, 1);
  await clock.pass(1);
  await realm.answer("b", 2);
  await clock.pass(10_000);
  assert.deepEqual(shown, ["a", "b"]);
});

test("an apply that throws is reported and breaks nothing", async () => {
  live(page.connection, "shop.stock", (state) => {
    if (state === "a") throw new Error("mine");
    shown.push(state);
  });
  const realm = await joins();
  await realm.answer("a", 1);
  await realm.publish("shop.stock", "b", 2);
  assert.deepEqual([shown, reported.map((error) => error.message)], [["b"], ["mine"]]);
});

const rows = async (options) => {
  live(
    page.connection,
    "shop.items",
    (all, { changed, gone }) => shown.push([Object.fromEntries(all), changed, gone]),
    { kind: "rows", ...options },
  );
  return joins();
};

test("rows appear, change and go", async () => {
  const realm = await rows();
  await realm.answer({ a: 1, b: 1 }, 10);
  await realm.publish("shop.items", { rows: { c: 1, a: 2 }, gone: ["b"] }, 11);
  assert.deepEqual(shown, [
    [{ a: 1, b: 1 }, ["a", "b"], []],
    [{ a: 2, c: 1 }, ["c", "a"], ["b"]],
  ]);
});

test("a row's older state does not come back, nor does a row that is gone", async () => {
  const realm = await rows();
  await realm.answer({ a: 1 }, 10);
  await realm.publish("shop.items", { rows: { a: 3 }, gone: ["b"] }, 12);
  await realm.publish("shop.items", { rows: { a: 2, b: 1, c: 1 }, gone: [] }, 11);
  assert.deepEqual(shown.at(-1)[0], { a: 3, c: 1 });
  await realm.publish("shop.items", { rows: {}, gone: ["a"] }, 11);
  await realm.publish("shop.items", { rows: { d: 1 } }, 9);
  assert.deepEqual(shown.at(-1)[0], { a: 3, c: 1 });
});

test("an answer that is older than an event leaves what the event brought and took", async () => {
  const realm = await rows();
  await realm.publish("shop.items", { rows: { n: 1 }, gone: ["a"] }, 20);
  await realm.answer({ a: 1, b: 1 }, 15);
  assert.deepEqual(shown.at(-1)[0], { n: 1, b: 1 });
});

test("some rows are not shown as if they were all: the first time is when every row is known", async () => {
  const realm = await rows();
  await realm.publish("shop.items", { rows: { b: 2 }, gone: [] }, 20);
  assert.deepEqual(shown, []);
  await realm.answer({ a: 1, b: 1 }, 15);
  assert.deepEqual(shown, [[{ a: 1, b: 2 }, ["b", "a"], []]]);
  await realm.publish("shop.items", { rows: { c: 1 }, gone: [] }, 21);
  assert.deepEqual(shown.at(-1), [{ a: 1, b: 2, c: 1 }, ["c"], []]);
});

test("rows that went while we were away are gone; 'all' says the same in an event", async () => {
  const realm = await rows();
  await realm.answer({ a: 1, b: 1 }, 10);
  const next = await again();
  await clock.pass(1000);
  await next.answer({ b: 2 }, 3);
  assert.deepEqual(shown.at(-1), [{ b: 2 }, ["b"], ["a"]]);
  await next.publish("shop.items", { rows: { c: 1 }, all: true }, 4);
  assert.deepEqual(shown.at(-1), [{ c: 1 }, ["c"], ["b"]]);
  await next.publish("shop.items", { rows: {}, all: true }, 2);
  assert.deepEqual(shown.at(-1)[0], { c: 1 });
});

test("rows whose writers count by themselves: events wait for the answer that they may overtake", async () => {
  const realm = await rows({
    version: (row) => row.seq,
    unpack: ([row], topic) => ({ state: { rows: { [topic.split(".").at(-1)]: row } } }),
  });
  await realm.publish("shop.items", { seq: 5 });
  assert.deepEqual(shown, []);
  await realm.answer({ other: { seq: 900 } });
  assert.deepEqual(shown.at(-1)[0], { other: { seq: 900 }, items: { seq: 5 } });
  await realm.publish("shop.items", { seq: 4 });
  assert.deepEqual(shown.at(-1)[0].items, { seq: 5 });
});

test("nothing there for us, of rows: all are gone", async () => {
  const realm = await rows();
  await realm.answer({ a: 1 }, 1);
  await realm.publish("shop.items", null, 2);
  await clock.pass(1000);
  await realm.answer(null, 3);
  assert.deepEqual(shown.at(-1), [{}, [], ["a"]]);
});

test("presence is rows at a topic of its own", async () => {
  presence(page.connection, "chat.room", (people) => shown.push([...people.values()]));
  const realm = await joins();
  await realm.answer({ u1: "Ann" }, 1);
  assert.deepEqual([realm.calls[0][3], shown], ["chat.room.here", [["Ann"]]]);
});

const log = async (options) => {
  const thing = live(page.connection, "chat.room", (item) => shown.push(item.id), {
    kind: "log",
    history: "chat.history",
    ...options,
  });
  return { thing, realm: await joins() };
};
const items = (...ids) => ids.map((id) => ({ id }));

test("a log: what came before, then what comes, each once", async () => {
  const { realm } = await log();
  assert.deepEqual(realm.calls[0].slice(3), ["chat.history", [], { since: null }]);
  await realm.publish("chat.room", { id: 3 });
  assert.deepEqual(shown, []);
  await realm.answer(items(1, 2, 3));
  await realm.publish("chat.room", { id: 4 });
  await realm.publish("chat.room", { id: 4 });
  assert.deepEqual(shown, [1, 2, 3, 4]);
});

test("a log is resumed from what the page has, page by page", async () => {
  const { realm } = await log({ since: 17 });
  assert.deepEqual(realm.calls[0][5], { since: 17 });
  await realm.answer(items(18, 19));
  assert.deepEqual(realm.calls[1][5], { since: 19 });
  await realm.answer(items(20));
  await realm.answer([]);
  await realm.publish("chat.room", { id: 17 });
  const next = await again();
  await next.publish("chat.room", { id: 23 });
  await clock.pass(1000);
  assert.deepEqual(next.calls[0][5], { since: 20 });
  await next.answer(items(21, 22));
  await next.answer([]);
  assert.deepEqual(shown, [18, 19, 20, 21, 22, 23]);
});

test("a hole in a log without gaps is asked for, if it stays open", async () => {
  const { realm } = await log({ gapless: true, since: 0 });
  await realm.answer([]);
  await realm.publish("chat.room", { id: 2 });
  await realm.publish("chat.room", { id: 1 });
  await clock.pass(1000);
  assert.equal(realm.calls.length, 1);
  await realm.publish("chat.room", { id: 5 });
  await clock.pass(400);
  assert.deepEqual(realm.calls[1][5], { since: 2 });
  await realm.answer(items(3, 4, 5));
  await realm.answer([]);
  assert.deepEqual(shown, [2, 1, 5, 3, 4]);
  await clock.pass(5000);
  assert.equal(realm.calls.length, 3);
});

test("a log whose ids have gaps does not ask for them", async () => {
  const { realm } = await log();
  await realm.answer(items(10, 20));
  await realm.publish("chat.room", { id: 40 });
  await clock.pass(5000);
  assert.equal(realm.calls.length, 1);
  const next = await again();
  await clock.pass(1000);
  assert.deepEqual(next.calls[0][5], { since: 40 });
});

test("a log's own question, and where it tells all up to", async () => {
  const asked = [];
  const { realm } = await log({
    gapless: true,
    id: (item) => item.id,
    ask: async (session, since) => {
      asked.push(since);
      return { state: items(1, 3), number: 5 };
    },
  });
  await realm.publish("chat.room", { id: 6 });
  await clock.pass(5000);
  assert.deepEqual([asked, shown], [[null], [1, 3, 6]]);
});
