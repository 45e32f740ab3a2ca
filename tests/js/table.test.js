/** Bound tables: what a page makes of events and answers, and what it asks. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { live } from "../../wampflask/browser/live.js";
import { follow, send } from "../../wampflask/browser/table/following.js";
import { Clock, settle } from "./clock.js";
import { newPage } from "./page.js";

let clock;
let page;
let seen;
beforeEach(() => {
  clock = new Clock();
  page = newPage();
  seen = [];
});
afterEach(() => {
  page.connection.stop();
  clock.restore();
  mock.restoreAll();
});

/** The router's half: confirms subscriptions and answers snapshots with what the table has. */
class Table {
  topics = new Map();
  asked = [];
  pages = [{ rows: [], more: false, after: null }];
  done = 0;

  constructor(socket) {
    this.socket = socket;
  }

  async turn() {
    for (await settle(); this.socket.sent[this.done]; await settle()) {
      const [type, id, options, uri, args] = this.socket.sent[this.done++];
      if (type === 32) {
        this.topics.set(uri, [500 + id, options.match]);
        await this.socket.say([33, id, 500 + id]);
      } else if (type === 48) {
        this.asked.push([uri, args]);
        const found = args.length ? this.pages.find(({ from = null }) => from === args[0]) : null;
        await this.socket.say([50, id, {}, [found]]);
      }
    }
  }

  async publish(topic, subscribed, state) {
    await this.socket.say([36, this.topics.get(subscribed)[0], 1, { topic }, [state]]);
    await this.turn();
  }
}

const row = (pk, version, value = version) => ({ pk, version, values: { value } });

async function following(options, ...pages) {
  const thing = follow(live.bind(null, page.connection), "stock", {
    put: ({ pk, version }) => seen.push(`${pk}@${version}`),
    remove: (pk) => seen.push(["gone", pk]),
    ...options,
  });
  const table = new Table(await page.join());
  if (pages.length) table.pages = pages;
  await table.turn();
  return { thing, table };
}

test("what the page shows already is told when it is gone, and every other row is put", async () => {
  await following({ known: [1, 2] }, { rows: [row(2, 1), row(3, 1)], more: false, after: 3 });
  assert.deepEqual(seen, [["gone", 1], "2@1", "3@1"]);
});

test("a table of many pages is asked for page by page, and what happens meanwhile counts", async () => {
  const { table } = await following(
    {},
    { rows: [row(1, 1)], more: true, after: 1 },
    { from: 1, rows: [row(2, 1)], more: false, after: 2 },
  );
  assert.deepEqual(table.asked, [
    ["tables.stock.snapshot", [null]],
    ["tables.stock.snapshot", [1]],
  ]);
  assert.deepEqual(seen, ["1@1", "2@1"]);
});

test("a newer version counts, an older one does not, and what is deleted stays so", async () => {
  const { table } = await following({}, { rows: [row(1, 2)], more: false, after: 1 });
  await table.publish("tables.stock.1.changed", "tables.stock..changed", row(1, 3));
  await table.publish("tables.stock.1.changed", "tables.stock..changed", row(1, 1));
  await table.publish("tables.stock.1.deleted", "tables.stock..deleted", {
    pk: 1,
    version: 5,
    deleted: true,
  });
  await table.publish("tables.stock.1.changed", "tables.stock..changed", row(1, 4));
  assert.deepEqual(seen, ["1@2", "1@3", ["gone", 1]]);
});

test("an event without values, and a reset, have the page ask", async () => {
  const { table } = await following({}, { rows: [row(1, 1)], more: false, after: 1 });
  await table.publish("tables.stock.1.changed", "tables.stock..changed", {
    pk: 1,
    version: 2,
    kind: "updated",
  });
  table.pages = [{ rows: [row(1, 2)], more: false, after: 1 }];
  await clock.pass(1000);
  await table.turn();
  await table.publish("tables.stock.reset", "tables.stock.reset", { reset: true });
  table.pages = [{ rows: [], more: false, after: null }];
  await clock.pass(1000);
  await table.turn();
  assert.deepEqual(seen, ["1@1", "1@2", ["gone", 1]]);
  assert.equal(table.asked.length, 3);
});

test("keys are what they were: UUIDs are not numbers", async () => {
  const pk = "12345678901234567890123456789012";
  const { table } = await following(
    { known: [pk] },
    { rows: [row(pk, 1)], more: false, after: pk },
  );
  await table.publish(`tables.stock.${pk}.deleted`, "tables.stock..deleted", {
    pk,
    version: 2,
    deleted: true,
  });
  assert.deepEqual(seen, [`${pk}@1`, ["gone", pk]]);
});

test("a group's page listens to and asks that group alone; a reset is for all", async () => {
  const { table } = await following({ group: 7 });
  assert.deepEqual([...table.topics.keys()].filter((topic) => topic.startsWith("tables.")).sort(), [
    "tables.stock.7..changed",
    "tables.stock.7..deleted",
    "tables.stock.reset",
  ]);
  assert.deepEqual(table.asked, [["tables.stock.7.snapshot", [null]]]);
});

test("page by page: what is beyond the page does not show, and what is gone is made up for", async () => {
  const { table } = await following(
    { after: 2, limit: 2 },
    { from: 2, rows: [row(3, 1), row(4, 1)], more: true, after: 4 },
  );
  assert.deepEqual(table.asked, [["tables.stock.snapshot", [2, 2]]]);
  for (const pk of [1, 2, 5])
    await table.publish(`tables.stock.${pk}.changed`, "tables.stock..changed", row(pk, 7));
  await table.publish("tables.stock.3.changed", "tables.stock..changed", row(3, 2));
  await table.publish("tables.stock.4.deleted", "tables.stock..deleted", {
    pk: 4,
    version: 2,
    deleted: true,
  });
  table.pages = [{ from: 2, rows: [row(3, 2), row(5, 7)], more: false, after: 5 }];
  await clock.pass(1000);
  await table.turn();
  await table.publish("tables.stock.6.changed", "tables.stock..changed", row(6, 1)); // on the last page
  assert.deepEqual(seen, ["3@1", "4@1", "3@2", ["gone", 4], "3@2", "5@7", "6@1"]);
});

test("writing: the table, or a group of it", async () => {
  const call = mock.fn(async () => "row");
  assert.equal(await send(call, "stock", "update", [1, { value: 2 }, 1]), "row");
  await send(call, "stock", "delete", [1, 2], { group: 7, timeout: 50 });
  assert.deepEqual(
    call.mock.calls.map(({ arguments: given }) => given),
    [
      ["tables.stock.update", [1, { value: 2 }, 1], {}],
      ["tables.stock.7.delete", [1, 2], { timeout: 50 }],
    ],
  );
});
