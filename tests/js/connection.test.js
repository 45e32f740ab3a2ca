/** The connection: it comes back after any close, and restores what the page asked for. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { ConnectionLost, WampError } from "../../wampflask/browser/errors.js";
import { Clock, settle } from "./clock.js";
import { newPage } from "./page.js";
import { rejection } from "./router.js";

let clock;
let page;
beforeEach(() => {
  clock = new Clock();
  page = newPage();
});
afterEach(() => {
  page.connection.stop();
  clock.restore();
});

test("nothing connects until something is used", async () => {
  await clock.pass(10_000);
  assert.deepEqual([page.connection.state, page.tickets, page.sockets.length], ["stopped", 0, 0]);
  page.connection.use(() => {});
  await page.join();
  assert.deepEqual(page.states, ["connecting", "open"]);
  assert.equal(page.connection.since, clock.now);
});

test("a call waits for the first session, and is then made", async () => {
  const result = page.connection.call("a.b", [1]);
  await clock.pass(5000);
  const socket = await page.join();
  assert.deepEqual(socket.last, [48, 1, {}, "a.b", [1]]);
  await socket.say([50, 1, {}, ["yes"]]);
  assert.equal(await result, "yes");
});

test("a call without patience fails at once, and one with patience after it", async () => {
  assert.ok(
    (await rejection(page.connection.call("a.b", [], { patience: 0 }))) instanceof ConnectionLost,
  );
  await page.join();
  page.socket.close();
  await settle();
  const failed = rejection(page.connection.call("a.b"));
  await clock.pass(3000);
  assert.ok((await failed) instanceof ConnectionLost);
});

test("a signal ends the wait for a session", async () => {
  const control = new AbortController();
  const failed = rejection(page.connection.call("a.b", [], { signal: control.signal }));
  control.abort();
  assert.equal((await failed).name, "AbortError");
});

test("a callee that is not there yet is waited for, for three seconds", async () => {
  const socket = (page.connection.start(), await page.join());
  const result = page.connection.call("a.b");
  await settle();
  for (let tried = 1; tried <= 3; tried += 1) {
    assert.equal(socket.last[1], tried);
    await socket.say([8, 48, tried, {}, "wamp.error.no_such_procedure"]);
    await clock.pass(200);
  }
  await socket.say([50, 4, {}, [1]]);
  assert.equal(await result, 1);
  const failed = rejection(page.connection.call("a.b", [], { patience: 0 }));
  await settle();
  await socket.say([8, 48, 5, {}, "wamp.error.no_such_procedure"]);
  assert.equal((await failed).uri, "wamp.error.no_such_procedure");
});

test("a refusal is not asked again", async () => {
  const socket = (page.connection.start(), await page.join());
  const failed = rejection(page.connection.call("a.b"));
  await settle();
  await socket.say([8, 48, 1, {}, "wamp.error.not_authorized"]);
  assert.equal((await failed).uri, "wamp.error.not_authorized");
});

test("publish goes out once there is a session", async () => {
  const taken = page.connection.publish("a.b", [1], { acknowledge: false });
  const socket = await page.join();
  await taken;
  assert.deepEqual(socket.last, [16, 1, { acknowledge: false }, "a.b", [1]]);
});

for (const [how, end] of [
  ["FIN", (socket) => socket.close()],
  ["GOODBYE", (socket) => socket.say([6, {}, "wamp.close.normal"])],
  ["ABORT", (socket) => socket.say([3, {}, "wamp.error.protocol_violation"])],
  ["a malformed frame", (socket) => socket.say("}")],
]) {
  test(`after ${how} it joins again, with a new ticket`, async () => {
    page.connection.start();
    await page.join();
    await end(page.socket);
    await settle();
    assert.equal(page.connection.state, "waiting");
    await clock.pass(500);
    assert.equal(page.sockets.length, 2);
    await page.join();
    assert.deepEqual(
      [page.connection.state, page.tickets, page.socket.sent[1]],
      ["open", 2, [5, "t2", {}]],
    );
  });
}

test("a first connect that fails is tried again, later and later, with jitter", async () => {
  page.refusal = new Error("the site is away");
  page.connection.start();
  const waits = [];
  for (let tries = 1; tries <= 6; tries += 1) {
    await settle();
    assert.equal(page.tickets, tries);
    const before = clock.now;
    while (page.tickets === tries) await clock.pass(50);
    waits.push(clock.now - before);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 4000, 4000]);
  assert.equal(page.connection.reason.message, "the site is away");
});

test("a page's first wait is random: pages that lost the router together come back one by one", async () => {
  for (const random of [0.1, 0.9]) {
    clock.random = random;
    const other = newPage();
    other.connection.start();
    await other.join();
    other.socket.close();
    await clock.pass(random * 1000 - 1);
    assert.equal(other.sockets.length, 1);
    await clock.pass(1);
    assert.equal(other.sockets.length, 2);
    other.connection.stop();
  }
});

test("a router that is down costs the site no tickets, until it may have moved", async () => {
  page.connection.start();
  await page.join();
  for (let tries = 0; tries < 9; tries += 1) {
    page.socket.close();
    await clock.pass(4000);
  }
  assert.deepEqual([page.sockets.length, page.tickets], [10, 2]);
});

test("waking up cuts the wait short; a stuck try is given up", async () => {
  page.connection.start();
  await page.join();
  page.socket.close();
  await settle();
  page.connection.wake();
  await settle();
  assert.equal(page.sockets.length, 2);
  await clock.pass(2001);
  page.connection.wake();
  page.sockets[1].open();
  assert.equal(page.sockets[1].readyState, 3);
  await clock.pass(1000);
  assert.equal(page.sockets.length, 3);
});

test("waking up with a session probes it", async () => {
  page.connection.start();
  const socket = await page.join();
  page.connection.wake();
  assert.equal(socket.last[3], "wampflask.heartbeat");
  await clock.pass(3000);
  assert.equal(page.connection.state, "waiting");
});

test("silence is probed by the heartbeat, and traffic spares it", async () => {
  page.connection.start();
  const socket = await page.join();
  await clock.pass(24_000);
  await socket.say([36, 1, 1, {}]);
  await clock.pass(1000);
  assert.equal(socket.all(48).length, 0);
  await clock.pass(25_000);
  assert.equal(socket.last[3], "wampflask.heartbeat");
  await socket.say([8, 48, 1, {}, "wamp.error.no_such_procedure"]);
  await clock.pass(25_000);
  assert.equal(socket.all(48).length, 2);
  await clock.pass(5000);
  assert.match(page.connection.reason.message, /no heartbeat/);
});

test("subscriptions are restored, and an end is an end", async () => {
  const heard = [];
  const end = page.connection.subscribe("t.x", (value) => heard.push(value));
  for (const id of [500, 501]) {
    const socket = await page.join();
    assert.deepEqual(socket.last, [32, 1, { match: "exact" }, "t.x"]);
    await socket.say([33, 1, id]);
    await end.ready;
    await socket.say([36, id, 1, {}, [id]]);
    if (id === 500) {
      socket.close();
      await clock.pass(1000);
    }
  }
  assert.deepEqual(heard, [500, 501]);
  end();
  await settle();
  assert.deepEqual(page.socket.last, [34, 2, 501]);
  await page.socket.say([35, 2]);
  page.socket.close();
  await clock.pass(1000);
  await page.join();
  assert.equal(page.socket.all(32).length, 0);
});

test("a subscription that is ended before it is confirmed is taken back", async () => {
  const end = page.connection.subscribe("t.x", () => assert.fail("ended"));
  const socket = await page.join();
  end();
  await socket.say([33, 1, 500]);
  assert.deepEqual(socket.last, [34, 2, 500]);
});

test("a refused subscription is news, and its ready rejects", async () => {
  const end = page.connection.subscribe("t.x", () => {});
  const socket = await page.join();
  await socket.say([8, 32, 1, {}, "wamp.error.not_authorized"]);
  assert.equal((await rejection(end.ready)).uri, "wamp.error.not_authorized");
  assert.deepEqual(
    page.failures.map((error) => error.uri),
    ["wamp.error.not_authorized"],
  );
  assert.equal(page.connection.state, "open");
});

test("refused() hears of each refusal, also in later sessions, and of nothing else", async () => {
  const heard = [];
  const refused = (error) => heard.push(error.uri);
  page.connection.subscribe("t.x", () => {}, { refused });
  page.connection.register("page.do", () => 1, { refused });
  const socket = await page.join();
  assert.deepEqual([socket.all(32)[0][2], socket.all(64)[0][2]], [{ match: "exact" }, {}]); // no option of the router's
  await socket.say([33, socket.all(32)[0][1], 500]);
  await socket.say([65, socket.all(64)[0][1], 900]);
  socket.close();
  await clock.pass(1000);
  const next = await page.join();
  await next.say([8, 32, next.all(32)[0][1], {}, "wamp.error.not_authorized"]);
  await next.say([8, 64, next.all(64)[0][1], {}, "wamp.error.invalid_uri"]);
  await settle();
  assert.deepEqual(heard, ["wamp.error.not_authorized", "wamp.error.invalid_uri"]);
  assert.deepEqual(page.failures, []);
});

test("a session's end while subscribing is no news", async () => {
  const end = page.connection.subscribe("t.x", () => {});
  await page.join();
  page.socket.close();
  await clock.pass(1000);
  const socket = await page.join();
  await socket.say([33, 1, 500]);
  await end.ready;
  assert.deepEqual(page.failures, []);
});

test("a SUBSCRIBE without an answer ends the session", async () => {
  page.connection.subscribe("t.x", () => {});
  await page.join();
  await clock.pass(10_000);
  assert.equal(page.connection.reason.name, "TimedOut");
});

test("registrations are restored, and a name that is taken is tried again", async () => {
  const end = page.connection.register("page.do", () => 1);
  const socket = await page.join();
  await socket.say([8, 64, 1, {}, "wamp.error.procedure_already_exists"]);
  await clock.pass(1000);
  await socket.say([65, 2, 900]);
  await end.ready;
  socket.close();
  await clock.pass(1000);
  const next = await page.join();
  assert.equal(next.last[0], 64);
  await next.say([65, 1, 901]);
  end();
  assert.deepEqual(next.last, [66, 2, 901]);
  assert.deepEqual(page.failures, []);
});

test("stop closes and stays stopped; a use does not start it, start does", async () => {
  page.connection.start();
  await page.join();
  page.connection.stop();
  assert.equal(page.sockets[0].readyState, 3);
  page.connection.use(() => {});
  assert.ok((await rejection(page.connection.call("a.b"))) instanceof ConnectionLost);
  await clock.pass(60_000);
  assert.deepEqual([page.connection.state, page.sockets.length], ["stopped", 1]);
  page.connection.start();
  await page.join();
  assert.equal(page.connection.state, "open");
});

test("stop and start at once leave one session", async () => {
  page.connection.start();
  await page.join();
  page.connection.proofs.set("player", "p1");
  page.connection.stop();
  page.connection.start();
  await page.join();
  assert.deepEqual([page.connection.state, page.sockets.length, page.proofs], ["open", 2, ["p1"]]);
  assert.ok(page.connection.session.alive);
});

test("stop during a connect leaves nothing behind", async () => {
  page.connection.start();
  await settle();
  page.connection.stop();
  await page.join();
  await clock.pass(60_000);
  assert.deepEqual(
    [page.connection.state, page.connection.session, page.sockets.length],
    ["stopped", null, 1],
  );
});

test("reconnect joins anew at once, with a new ticket", async () => {
  page.connection.start();
  await page.join();
  page.connection.reconnect();
  await page.join();
  assert.deepEqual([page.sockets.length, page.tickets, page.connection.state], [2, 2, "open"]);
  page.connection.stop();
  page.connection.reconnect();
  await page.join();
  assert.deepEqual([page.sockets.length, page.connection.state], [3, "open"]);
});

test("the server asks to join again: at once, but not in a circle", async () => {
  page.connection.start();
  await page.join();
  await clock.pass(1500);
  await page.socket.say([6, {}, "wampflask.close.refresh"]);
  await page.join();
  assert.deepEqual([page.sockets.length, page.tickets], [2, 2]);
  await page.socket.say([6, {}, "wampflask.close.refresh"]);
  await settle();
  assert.deepEqual([page.sockets.length, page.connection.state], [2, "waiting"]);
});

test("blocked: the reason is there and nothing is tried, but for reconnect()", async () => {
  page.connection.start();
  await page.join();
  await page.socket.say([6, { message: "Blocked for spam." }, "wampflask.close.blocked"]);
  await settle();
  assert.deepEqual(
    [page.connection.state, page.connection.reason.message],
    ["stopped", "Blocked for spam."],
  );
  page.connection.wake();
  page.connection.use(() => {});
  await clock.pass(3_600_000);
  assert.equal(page.sockets.length, 1);
  page.connection.reconnect();
  await page.join();
  assert.equal(page.connection.state, "open");
});

for (const [how, until] of [
  ["seconds", (ms) => ms / 1000],
  ["a date", (ms) => new Date(ms).toISOString()],
]) {
  test(`blocked by the site until a time, in ${how}: tried again then`, async () => {
    page.refusal = new WampError("wampflask.close.blocked", ["Not now."], {
      until: until(clock.now + 60_000),
    });
    page.connection.start();
    await settle();
    assert.equal(page.connection.state, "stopped");
    await clock.pass(59_999);
    assert.equal(page.tickets, 1);
    page.refusal = null;
    await clock.pass(8000);
    await page.join();
    assert.deepEqual([page.connection.state, page.tickets], ["open", 2]);
  });
}

test("blocked without an end, or with one that cannot be read, is for good", async () => {
  for (const until of [null, "soon"]) {
    const other = newPage();
    other.refusal = new WampError("wampflask.close.blocked", [], { until });
    other.connection.start();
    await clock.pass(2 ** 33);
    assert.deepEqual([other.connection.state, other.tickets], ["stopped", 1]);
  }
});

test("a block that lasts longer than a timer can is looked at again", async () => {
  page.refusal = new WampError("wampflask.close.blocked", [], {
    until: (clock.now + 2 ** 33) / 1000,
  });
  page.connection.start();
  await clock.pass(1000);
  assert.equal(page.tickets, 1);
  await clock.pass(2 ** 31);
  assert.equal(page.tickets, 2);
});
