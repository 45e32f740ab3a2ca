/** The WAMP session, message by message as the specification has them. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { ConnectionLost, TimedOut, WampError } from "../../wampflask/browser/errors.js";
import { Session } from "../../wampflask/browser/session.js";
import { Clock, settle } from "./clock.js";
import { FakeSocket, WHERE, joined, rejection, reported } from "./router.js";

let clock;
beforeEach(() => {
  clock = new Clock();
  reported.length = 0;
});
afterEach(() => clock.restore());

const opened = (ticket = async () => "t1") => {
  const socket = new FakeSocket();
  return { socket, session: new Session(WHERE, ticket, () => socket) };
};

test("HELLO names realm, four roles and ticket; CHALLENGE is answered; WELCOME joins", async () => {
  const { session, socket } = opened();
  const joining = session.join();
  socket.open();
  const [type, realm, details] = socket.last;
  assert.deepEqual([type, realm, details.authmethods], [1, "wampflask", ["ticket"]]);
  assert.deepEqual(Object.keys(details.roles), ["caller", "callee", "publisher", "subscriber"]);
  await socket.say([4, "ticket", {}]);
  assert.deepEqual(socket.last, [5, "t1", {}]);
  await socket.say([2, 99, { authrole: "user", authid: "user:1" }]);
  assert.equal(await joining, session);
  assert.deepEqual([session.id, session.details.authrole], [99, "user"]);
  assert.equal(clock.waiting, 0);
});

test("ABORT with a reason rejects the join with it", async () => {
  const { session, socket } = opened();
  const failed = rejection(session.join());
  socket.open();
  await socket.say([3, { message: "no such realm here" }, "wamp.error.no_such_realm"]);
  const error = await failed;
  assert.ok(error instanceof WampError);
  assert.deepEqual([error.uri, error.message], ["wamp.error.no_such_realm", "no such realm here"]);
  assert.deepEqual([session.alive, socket.readyState, socket.sent.length], [false, 3, 1]);
});

test("a socket that closes between HELLO and WELCOME rejects the join", async () => {
  const { session, socket } = opened();
  const failed = rejection(session.join());
  socket.open();
  socket.close();
  assert.ok((await failed) instanceof ConnectionLost);
  assert.equal(await session.ended, await failed);
});

test("a router that never welcomes is given up", async () => {
  const { session, socket } = opened();
  const failed = rejection(session.join(5000));
  socket.open();
  await clock.pass(5000);
  assert.ok((await failed) instanceof TimedOut);
  assert.equal(socket.readyState, 3);
});

test("no ticket, no session", async () => {
  const { session, socket } = opened(() => Promise.reject(new Error("the site is away")));
  const failed = rejection(session.join());
  socket.open();
  await socket.say([4, "ticket", {}]);
  assert.equal((await failed).message, "the site is away");
});

test("a challenge of another method is refused", async () => {
  const { session, socket } = opened();
  const failed = rejection(session.join());
  socket.open();
  await socket.say([4, "wampcra", {}]);
  assert.equal((await failed).uri, "wamp.error.protocol_violation");
  assert.equal(socket.last[0], 3);
});

test("closing while the socket connects waits for it to open", () => {
  const { session, socket } = opened();
  session.close();
  assert.equal(socket.readyState, 0);
  socket.open();
  assert.deepEqual([socket.readyState, socket.sent.length], [3, 0]);
});

test("the router's GOODBYE is answered and ends the session with its reason", async () => {
  const { session, socket } = await joined();
  const call = rejection(session.call("a.b"));
  await socket.say([6, { message: "Blocked for spam.", until: 5 }, "wampflask.close.blocked"]);
  const reason = await session.ended;
  assert.deepEqual(
    [reason.uri, reason.message, reason.kwargs.until],
    ["wampflask.close.blocked", "Blocked for spam.", 5],
  );
  assert.deepEqual(socket.last, [6, {}, "wamp.close.goodbye_and_out"]);
  assert.equal(await call, reason);
});

test("closing says GOODBYE and fails what waits", async () => {
  const { session, socket } = await joined();
  const call = rejection(session.call("a.b"));
  session.close();
  assert.deepEqual(socket.last, [6, {}, "wamp.close.close_realm"]);
  assert.ok((await call) instanceof ConnectionLost);
  assert.ok((await rejection(session.call("a.b"))) instanceof ConnectionLost);
  assert.equal(clock.waiting, 0);
});

for (const [what, frame] of [
  ["no JSON", "{"],
  ["no list", "{}"],
  ["null", "null"],
  ["an unknown message", [999, 1]],
  ["a message's name as text", ["36", 1, 1, {}]],
  ["a property of objects", ["constructor"]],
  ["an event without details", [36, 1, 2]],
  ["an event with text for details", [36, 1, 2, "x"]],
  ["an event with a dict for arguments", [36, 1, 2, {}, {}]],
  ["null for arguments", [36, 1, 2, {}, null]],
  ["a broken id", [50, 1.5, {}]],
  ["a negative id", [50, -1, {}]],
  ["a result nobody asked for", [50, 77, {}]],
  ["an error nobody waits for", [8, 48, 77, {}, "a.b"]],
  ["an error without a URI", [8, 48, 1, {}]],
  ["another WELCOME", [2, 1, {}]],
  ["a challenge too late", [4, "ticket", {}]],
  ["a client's message", [48, 1, {}, "a.b"]],
]) {
  test(`malformed, ${what}: the connection closes with a reason`, async () => {
    const { session, socket } = await joined();
    const call = rejection(session.call("a.b"));
    await socket.say(frame);
    const reason = await session.ended;
    assert.equal(reason.uri, "wamp.error.protocol_violation");
    assert.deepEqual(
      [socket.last[0], socket.last[2], socket.readyState],
      [3, "wamp.error.protocol_violation", 3],
    );
    assert.equal(await call, reason);
    assert.deepEqual(reported, []);
  });
}

test("a binary frame is malformed, and a message before WELCOME too", async () => {
  const { session, socket } = await joined();
  socket.onmessage({ data: new ArrayBuffer(4) });
  assert.equal((await session.ended).uri, "wamp.error.protocol_violation");
  const early = opened();
  const failed = rejection(early.session.join());
  early.socket.open();
  await early.socket.say([36, 1, 2, {}]);
  assert.equal((await failed).uri, "wamp.error.protocol_violation");
});

test("an answer to a request of another kind is malformed", async () => {
  const { session, socket } = await joined();
  rejection(session.call("a.b"));
  await socket.say([33, 1, 5]);
  assert.equal((await session.ended).uri, "wamp.error.protocol_violation");
});

test("a call: the first argument, the keywords, nothing, or everything", async () => {
  const { session, socket } = await joined();
  const results = [
    session.call("a.one", [1, "x"]),
    session.call("a.two", [], { kwargs: { k: 1 } }),
    session.call("a.three"),
    session.call("a.four", [], { full: true, disclose_me: true }),
  ];
  assert.deepEqual(socket.sent.slice(-4), [
    [48, 1, {}, "a.one", [1, "x"]],
    [48, 2, {}, "a.two", [], { k: 1 }],
    [48, 3, {}, "a.three", []],
    [48, 4, { disclose_me: true }, "a.four", []],
  ]);
  await socket.say([50, 2, {}, [], { v: 2 }]);
  await socket.say([50, 1, {}, [false, 9]]);
  await socket.say([50, 3, {}]);
  await socket.say([50, 4, {}, [1, 2], { v: 3 }]);
  assert.deepEqual(await Promise.all(results), [
    false,
    { v: 2 },
    undefined,
    { args: [1, 2], kwargs: { v: 3 } },
  ]);
  assert.equal(clock.waiting, 0);
});

test("a call's error has URI, arguments, keywords", async () => {
  const { session, socket } = await joined();
  const failed = rejection(session.call("a.b"));
  await socket.say([8, 48, 1, {}, "shop.error.sold_out", ["Sold out.", 3], { item: "tea" }]);
  const error = await failed;
  assert.deepEqual(
    [error.name, error.uri, error.message, error.args, error.kwargs],
    ["WampError", "shop.error.sold_out", "Sold out.", ["Sold out.", 3], { item: "tea" }],
  );
});

test("progressive results, each with the time to itself", async () => {
  const { session, socket } = await joined();
  const parts = [];
  const result = session.call("a.b", [], { onProgress: (part) => parts.push(part), timeout: 1000 });
  assert.deepEqual(socket.last[2], { receive_progress: true });
  for (const part of [1, 2, 3]) {
    await clock.pass(900);
    await socket.say([50, 1, { progress: true }, [part]]);
  }
  await socket.say([50, 1, {}, ["done"]]);
  assert.deepEqual([parts, await result], [[1, 2, 3], "done"]);
});

test("an error in onProgress is reported and ends nothing", async () => {
  const { session, socket } = await joined();
  const result = session.call("a.b", [], {
    onProgress: () => {
      throw new Error("mine");
    },
  });
  await socket.say([50, 1, { progress: true }, [1]]);
  await socket.say([50, 1, {}, [2]]);
  assert.equal(await result, 2);
  assert.equal(reported[0].message, "mine");
});

test("a call that takes too long is cancelled on the far side, and its late answer means nothing", async () => {
  const { session, socket } = await joined();
  const failed = rejection(session.call("a.b", [], { timeout: 200 }));
  await clock.pass(200);
  assert.ok((await failed) instanceof TimedOut);
  assert.deepEqual(socket.last, [49, 1, { mode: "kill" }]);
  await socket.say([8, 48, 1, {}, "wamp.error.canceled"]);
  assert.equal(session.alive, true);
});

test("a signal cancels a call; one that has aborted already sends nothing", async () => {
  const { session, socket } = await joined();
  const control = new AbortController();
  const failed = rejection(
    session.call("a.b", [], { signal: control.signal, onProgress: () => assert.fail("cancelled") }),
  );
  control.abort();
  assert.equal((await failed).name, "AbortError");
  assert.deepEqual(socket.last, [49, 1, { mode: "kill" }]);
  await socket.say([50, 1, { progress: true }, [1]]);
  await socket.say([50, 1, {}, ["too late"]]);
  assert.equal(session.alive, true);
  const sent = socket.sent.length;
  assert.equal(
    (await rejection(session.call("a.b", [], { signal: control.signal }))).name,
    "AbortError",
  );
  assert.equal(socket.sent.length, sent);
  assert.equal(clock.waiting, 0);
});

test("a signal that aborts after the answer does nothing", async () => {
  const { session, socket } = await joined();
  const control = new AbortController();
  const result = session.call("a.b", [], { signal: control.signal });
  await socket.say([50, 1, {}, [1]]);
  control.abort();
  assert.equal(await result, 1);
  assert.deepEqual(socket.all(49), []);
});

test("a call without a bound waits", async () => {
  const { session, socket } = await joined();
  const result = session.call("a.b", [], { timeout: Infinity });
  await clock.pass(3_600_000);
  await socket.say([50, 1, {}, [1]]);
  assert.equal(await result, 1);
});

test("what is not JSON is refused, and takes no number of its own", async () => {
  const { session, socket } = await joined();
  const circle = {};
  circle.self = circle;
  assert.ok((await rejection(session.call("a.b", [circle]))) instanceof TypeError);
  session.call("a.c").catch(() => {});
  assert.equal(socket.last[1], 1);
});

test("publish waits for the router, or does not", async () => {
  const { session, socket } = await joined();
  const taken = session.publish("a.b", [0], { kwargs: { k: 1 }, exclude_me: false });
  assert.deepEqual(socket.last, [
    16,
    1,
    { acknowledge: true, exclude_me: false },
    "a.b",
    [0],
    { k: 1 },
  ]);
  await socket.say([17, 1, 55]);
  assert.equal(await taken, undefined);
  await session.publish("a.c", [1], { acknowledge: false });
  assert.deepEqual(socket.last, [16, 2, { acknowledge: false }, "a.c", [1]]);
  const failed = rejection(session.publish("a.d"));
  await socket.say([8, 16, 3, {}, "wamp.error.not_authorized"]);
  assert.equal((await failed).uri, "wamp.error.not_authorized");
});

test("events: first argument or keywords, where they were published, and everything", async () => {
  const { session, socket } = await joined();
  const heard = [];
  const subscribing = session.subscribe("monitor.presence.", (...event) => heard.push(event));
  await settle();
  assert.deepEqual(socket.last, [32, 1, { match: "wildcard" }, "monitor.presence."]);
  await socket.say([33, 1, 500]);
  await subscribing;
  await socket.say([36, 500, 1, { topic: "monitor.presence.a" }, [0, 2]]);
  await socket.say([36, 500, 2, {}, [], { k: 1 }]);
  assert.deepEqual(heard, [
    [
      0,
      "monitor.presence.a",
      { args: [0, 2], kwargs: {}, details: { topic: "monitor.presence.a" } },
    ],
    [{ k: 1 }, "monitor.presence.", { args: [], kwargs: { k: 1 }, details: {} }],
  ]);
});

test("a pattern is said", async () => {
  const { session, socket } = await joined();
  session.subscribe("a.b", () => {}, { match: "prefix" }).catch(() => {});
  session.subscribe("a.b", () => {}).catch(() => {});
  await settle();
  assert.deepEqual(
    socket.all(32).map((message) => message.slice(2)),
    [
      [{ match: "prefix" }, "a.b"],
      [{ match: "exact" }, "a.b"],
    ],
  );
});

test("two users of one topic share a subscription; the last to leave ends it", async () => {
  const { session, socket } = await joined();
  const heard = { a: [], b: [] };
  const both = Promise.all([
    session.subscribe("t.x", (n) => heard.a.push(n)),
    session.subscribe("t.x", (n) => heard.b.push(n)),
  ]);
  await settle();
  await socket.say([33, 1, 500]);
  const [leaveA, leaveB] = await both;
  assert.equal(socket.all(32).length, 1);
  await socket.say([36, 500, 1, {}, [1]]);
  await leaveA();
  await socket.say([36, 500, 2, {}, [2]]);
  assert.deepEqual(heard, { a: [1], b: [1, 2] });
  assert.equal(socket.all(34).length, 0);
  leaveB();
  await settle();
  assert.deepEqual(socket.last, [34, 2, 500]);
  await socket.say([36, 500, 3, {}, [3]]); // on its way when we left
  assert.deepEqual(heard.b, [1, 2]);
  await socket.say([35, 2]);
  await leaveA();
  assert.equal(session.alive, true);
});

test("a subscribe while the unsubscribe is in flight comes after it, and a second one shares it", async () => {
  const { session, socket } = await joined();
  const first = session.subscribe("t.x", () => {});
  await settle();
  await socket.say([33, 1, 500]);
  const leaving = (await first)();
  const heard = [];
  const again = Promise.all([
    session.subscribe("t.x", (n) => heard.push(n)),
    session.subscribe("t.x", (n) => heard.push(n)),
  ]);
  await settle();
  assert.deepEqual(socket.sent.slice(-1)[0][0], 34);
  await socket.say([35, 2]);
  await leaving;
  assert.deepEqual(socket.last, [32, 3, { match: "exact" }, "t.x"]);
  await socket.say([33, 3, 501]);
  await again;
  await socket.say([36, 501, 1, {}, ["x"]]);
  assert.deepEqual(heard, ["x", "x"]);
});

test("a refused subscription is refused to its user alone, and may be tried again", async () => {
  const { session, socket } = await joined();
  const failed = rejection(session.subscribe("t.x", () => {}));
  await settle();
  await socket.say([8, 32, 1, {}, "wamp.error.not_authorized"]);
  assert.equal((await failed).uri, "wamp.error.not_authorized");
  const again = session.subscribe("t.x", () => {});
  await settle();
  await socket.say([33, 2, 500]);
  await again;
});

test("a handler that throws is reported, and the others hear", async () => {
  const { session, socket } = await joined();
  const heard = [];
  const both = Promise.all([
    session.subscribe("t.x", () => {
      throw new Error("mine");
    }),
    session.subscribe("t.x", (n) => heard.push(n)),
  ]);
  await settle();
  await socket.say([33, 1, 500]);
  await both;
  await socket.say([36, 500, 1, {}, [1]]);
  assert.deepEqual([heard, reported.map((error) => error.message)], [[1], ["mine"]]);
});

test("what the router takes back is asked for anew, in the next session", async () => {
  const { session, socket } = await joined();
  await socket.say([35, 0, { subscription: 500, reason: "wamp.authentication.lost" }]);
  assert.ok((await session.ended) instanceof ConnectionLost);
});

async function registered(handler) {
  const found = await joined();
  const registering = found.session.register("page.do", handler);
  await found.socket.say([65, 1, 900]);
  return { ...found, unregister: await registering };
}

test("a procedure of the page answers, with null for nothing", async () => {
  const { socket } = await registered((args, { kwargs, procedure }) =>
    args.length ? [args, kwargs, procedure] : undefined,
  );
  assert.deepEqual(socket.last, [64, 1, {}, "page.do"]);
  await socket.say([68, 10, 900, {}, [1, 2], { k: 3 }]);
  assert.deepEqual(socket.last, [70, 10, {}, [[[1, 2], { k: 3 }, "page.do"]]]);
  await socket.say([68, 11, 900, {}]);
  assert.deepEqual(socket.last, [70, 11, {}, [null]]);
});

test("its errors go to the caller: a WampError as it is, any other as its message", async () => {
  const errors = [
    new WampError("page.error.busy", ["Busy.", 1], { k: 2 }),
    new Error("oops"),
    "text",
    undefined,
  ];
  const { socket, session } = await registered(() => {
    throw errors.shift();
  });
  for (const end of [
    ["page.error.busy", ["Busy.", 1], { k: 2 }],
    ["wamp.error.runtime_error", ["oops"]],
    ["wamp.error.runtime_error", ["text"]],
    ["wamp.error.runtime_error", ["undefined"]],
  ]) {
    await socket.say([68, 10, 900, {}]);
    assert.deepEqual(socket.last, [8, 68, 10, {}, ...end]);
  }
  assert.equal(session.alive, true);
});

test("a result or an error that is not JSON is an error too", async () => {
  const circle = {};
  circle.self = circle;
  const found = await registered(() => circle);
  await found.socket.say([68, 10, 900, {}]);
  assert.equal(found.socket.last[4], "wamp.error.runtime_error");
  const other = await registered(() => {
    throw new WampError("a.b", [circle]);
  });
  await other.socket.say([68, 10, 900, {}]);
  assert.equal(other.socket.last[4], "wamp.error.runtime_error");
});

test("a procedure sends progress to those who want it", async () => {
  const { socket } = await registered(async (_, { progress }) => {
    progress(1);
    await null;
    progress(2);
    return 3;
  });
  await socket.say([68, 10, 900, { receive_progress: true }]);
  assert.deepEqual(socket.all(70), [
    [70, 10, { progress: true }, [1]],
    [70, 10, { progress: true }, [2]],
    [70, 10, {}, [3]],
  ]);
  await socket.say([68, 11, 900, {}]);
  assert.deepEqual(socket.all(70).slice(3), [[70, 11, {}, [3]]]);
});

test("INTERRUPT aborts the procedure's signal, and the caller hears at once", async () => {
  let how;
  const { socket } = await registered(
    (_, given) =>
      new Promise((resolve) => {
        how = { ...given, resolve };
      }),
  );
  await socket.say([68, 10, 900, { receive_progress: true }]);
  await socket.say([69, 10, { mode: "kill" }]);
  assert.equal(how.signal.aborted, true);
  assert.deepEqual(socket.last.slice(0, 5), [8, 68, 10, {}, "wamp.error.canceled"]);
  const sent = socket.sent.length;
  how.progress(1);
  how.resolve("too late");
  await settle();
  await socket.say([69, 10, {}]);
  assert.equal(socket.sent.length, sent);
});

test("INTERRUPT of a call that the router has forgotten is not answered", async () => {
  let signal;
  const { socket } = await registered(
    (_, given) =>
      new Promise(() => {
        signal = given.signal;
      }),
  );
  await socket.say([68, 10, 900, {}]);
  const sent = socket.sent.length;
  await socket.say([69, 10, { mode: "killnowait" }]);
  assert.deepEqual([signal.aborted, socket.sent.length], [true, sent]);
});

test("a session's end aborts what its procedures do", async () => {
  let signal;
  const { socket } = await registered(
    (_, given) =>
      new Promise(() => {
        signal = given.signal;
      }),
  );
  await socket.say([68, 10, 900, {}]);
  socket.close();
  assert.ok(signal.reason instanceof ConnectionLost);
});

test("an ended registration is called no more", async () => {
  const { socket, unregister } = await registered(() => 1);
  const done = unregister();
  assert.deepEqual(socket.last, [66, 2, 900]);
  await socket.say([68, 10, 900, {}]); // on its way when we took it back
  assert.deepEqual(socket.last, [70, 10, {}, [1]]);
  await socket.say([67, 2]);
  await done;
  await socket.say([68, 11, 900, {}]);
  assert.equal(socket.last[4], "wamp.error.no_such_procedure");
});

test("a refused registration says so", async () => {
  const { session, socket } = await joined();
  const failed = rejection(session.register("page.do", () => {}));
  await socket.say([8, 64, 1, {}, "wamp.error.procedure_already_exists"]);
  assert.equal((await failed).uri, "wamp.error.procedure_already_exists");
});

test("a probe: any answer shows life, silence ends the session", async () => {
  const { session, socket } = await joined();
  const probing = session.probe(3000);
  await socket.say([8, 48, 1, {}, "wamp.error.no_such_procedure"]);
  await probing;
  assert.equal(session.alive, true);
  session.probe(3000);
  await clock.pass(3000);
  assert.match((await session.ended).message, /no heartbeat/);
});
