/** What the monitor's pages keep: hosts in order, and the numbers of a chart. */
import assert from "node:assert/strict";
import test from "node:test";
import { KINDS } from "../../static/js/monitor/kinds.js";
import { matches, ordered, summary } from "../../static/js/monitor/order.js";
import { Series } from "../../static/js/monitor/series.js";
import { HostState } from "../../static/js/monitor/state.js";

function host(title, facts = {}, sample = null) {
  const state = new HostState(title);
  state.learn({ title, online: true, ...facts });
  state.recall(sample);
  return state;
}

const titles = (states, by) =>
  ordered(
    states.map((state) => ({ state })),
    by,
  ).map(({ state }) => state.title);

test("an older sample never takes the place of a newer one", () => {
  const state = host("db", { version: 3 });
  assert.equal(state.report({ time: 10, version: 3, cpu: 0.1 }), true);
  assert.equal(state.report({ time: 9, version: 3, cpu: 0.9 }), false);
  assert.equal(
    state.report({ time: 11, version: 2, cpu: 0.9 }),
    false,
    "from before the settings shown",
  );
  state.recall({ time: 9, cpu: 0.9 });
  assert.equal(state.value("cpu"), 0.1);
});

test("what is switched off is not shown, whatever the sample has", () => {
  const state = host(
    "db",
    { show_cpus: false },
    { time: 1, cpu: 0.5, load: [1], memory: { ratio: 0.5 } },
  );
  assert.deepEqual(
    [state.value("cpu"), state.value("load"), state.value("memory")],
    [undefined, undefined, { ratio: 0.5 }],
  );
});

test("hosts are ordered by what is asked, then by name; the unknown comes last", () => {
  const states = [
    host("b", {}, { time: 1, cpu: 0.5, disks: { "/": { ratio: 0.1 }, "/x": { ratio: 0.9 } } }),
    host("A", { online: false }),
    host("c", { disabled: true }, { time: 1, cpu: 0.7, disks: { "/": { ratio: 0.2 } } }),
    host("D", {}, { time: 1, cpu: 0.5 }),
  ];
  assert.deepEqual(titles(states, "name"), ["A", "b", "c", "D"]);
  assert.deepEqual(titles(states, "state"), ["A", "b", "D", "c"]);
  assert.deepEqual(titles(states, "cpu"), ["c", "b", "D", "A"]);
  assert.deepEqual(titles(states, "disk"), ["b", "c", "A", "D"]);
  assert.equal(summary(states), "2 online · 1 offline · 1 disabled");
});

test("a filter wants every word, in title, address or labels", () => {
  const state = host("Web one", { ip: "10.0.0.7", labels: ["Paris"] });
  for (const filter of ["", " ", "WEB", "paris 0.7", "one web"])
    assert.ok(matches(state, filter), filter);
  assert.ok(!matches(state, "web two"));
});

const history = (times, series, more = {}) => ({ times, series, span: 1, range: "1h", ...more });
const cpu = (...mean) => ({ cpu: { mean, min: mean, max: mean } });

test("live points follow the history, and stay when it is loaded anew without them", () => {
  const series = new Series();
  series.load(history([10, 20], cpu(0.1, 0.2)), ["cpu"]);
  assert.ok(!series.isNews(20));
  series.add(30, { cpu: 0.3 });
  series.add(40, {});
  series.load(history([10, 20, 30], cpu(0.1, 0.2, 0.3)), ["cpu"]);
  assert.deepEqual(series.times, [10, 20, 30, 40]);
  assert.deepEqual(series.column("cpu"), [0.1, 0.2, 0.3, null]);
});

test("what is older than the range is dropped from every column", () => {
  const series = new Series();
  series.load(history([0, 3000], cpu(0.1, 0.2)), ["cpu"]);
  series.add(3700, { cpu: 0.3 });
  assert.deepEqual(
    [series.times, series.column("cpu"), series.column("cpu", "max")],
    [
      [3000, 3700],
      [0.2, 0.3],
      [0.2, 0.3],
    ],
  );
});

test("longer ranges have bands and no live points", () => {
  const series = new Series();
  series.load(history([10, 20], cpu(0.1, 0.2), { span: 60, range: "24h" }), ["cpu"]);
  assert.deepEqual([series.bands, series.seconds, series.isNews(1000)], [true, 86_400, false]);
});

test("a disk that turns up later has a column of its own, as long as the others", () => {
  const series = new Series();
  series.load(history([10, 20], {}), []);
  assert.ok(series.isEmpty);
  assert.ok(series.meet(["disk:/"]));
  assert.ok(!series.meet(["disk:/"]));
  series.add(30, { "disk:/": 0.5 });
  assert.deepEqual(series.column("disk:/"), [null, null, 0.5]);
  assert.ok(!series.isEmpty);
});

test("each chart finds its numbers in a sample, and none in an empty one", () => {
  const sample = {
    time: 1,
    cpu: 0.1,
    load: [1, 2, 3],
    memory: { ratio: 0.2 },
    swap: { ratio: 0.3 },
    disks: { "/": { ratio: 0.4 } },
    network: { a: { received: 1, sent: 2 }, b: { received: 3, sent: 4 } },
    disk_io: { a: { read: 5, written: 6 } },
    temperatures: { a: 40, b: 50 },
  };
  const found = Object.values(KINDS).map(({ take }) => take(host("db", {}, sample)));
  assert.deepEqual(Object.assign({}, ...found), {
    cpu: 0.1,
    memory: 0.2,
    swap: 0.3,
    "disk:/": 0.4,
    "network:received": 4,
    "network:sent": 6,
    "disk_io:read": 5,
    "disk_io:written": 6,
    load: 1,
    temperature: 50,
  });
  for (const { take } of Object.values(KINDS)) {
    assert.deepEqual(
      Object.values(take(host("db"))).filter((value) => value !== undefined),
      [],
    );
  }
});
