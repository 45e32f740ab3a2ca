/** What pages compute without a page: words, numbers and moments. */
import assert from "node:assert/strict";
import test from "node:test";
import { delay, pause } from "../../static/js/backoff.js";
import { pieces } from "../../static/js/chat/links.js";
import { typing } from "../../static/js/chat/people.js";
import {
  bytes,
  degrees,
  duration,
  most,
  percent,
  rate,
  sum,
} from "../../static/js/monitor/units.js";
import { clock, spoken } from "../../static/js/player/clock.js";
import { standing, voters, votes } from "../../static/js/polls/counts.js";
import { largest } from "../../static/js/polls/fit.js";
import { own } from "../../static/js/polls/own.js";
import { exactly, setTime, utc, when } from "../../static/js/times.js";

test("waiting doubles up to a ceiling, and jitter spreads it over all of that", () => {
  const latest = { random: () => 1 };
  assert.deepEqual(
    [0, 1, 2, 3, 4, 99].map((attempt) => delay(attempt, latest)),
    [1000, 2000, 4000, 8000, 8000, 8000],
  );
  assert.equal(delay(5, { random: () => 0 }), 0);
  assert.equal(delay(1, { base: 300, cap: 500, random: () => 0.5 }), 250);
});

test("a pause ends when it is aborted", async () => {
  const stop = new AbortController();
  const ends = pause(60_000, stop.signal);
  stop.abort();
  await ends;
  await pause(60_000, AbortSignal.abort());
});

test("addresses in a text end where people mean them to", () => {
  const links = (text) =>
    pieces(text)
      .filter(([, isAddress]) => isAddress)
      .map(([piece]) => piece);
  assert.deepEqual(links("see https://a.example/b, and (http://c.example)."), [
    "https://a.example/b",
    "http://c.example",
  ]);
  assert.deepEqual(links("https://en.example/wiki/Live_(music)"), [
    "https://en.example/wiki/Live_(music)",
  ]);
  assert.deepEqual(links("https:// javascript:alert(1) ftp://x"), []);
  const text = "a https://b.example! c";
  assert.equal(
    pieces(text)
      .map(([piece]) => piece)
      .join(""),
    text,
  );
});

test("who is typing", () => {
  assert.equal(typing([]), "");
  assert.equal(typing(["Ann"]), "Ann is typing…");
  assert.equal(typing(["Ann", "Ben"]), "Ann and Ben are typing…");
  assert.equal(typing(["Ann", "Ben", "Cy"]), "Several people are typing…");
});

test("numbers have units, and what is not known is a dash", () => {
  assert.deepEqual([0, 1023, 1024, 1.5 * 1024 ** 3, 2 ** 60].map(bytes), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 GiB",
    "1024 PiB",
  ]);
  assert.deepEqual([percent(0.456), rate(10_240), degrees(45.5)], ["46%", "10 KiB/s", "46 °C"]);
  assert.deepEqual([59, 3600, 90_000].map(duration), ["0 min", "1 h 0 min", "1 d 1 h"]);
  for (const write of [bytes, percent, rate, degrees, duration])
    assert.equal(write(undefined), "–");
});

test("sums and extremes of things, and of none", () => {
  const disks = { a: { used: 1, ratio: 0.5 }, b: { used: 2, ratio: 0.25 } };
  assert.deepEqual(
    [sum(disks, "used"), sum(disks, "other"), sum(undefined, "used")],
    [3, 0, undefined],
  );
  assert.deepEqual(
    [most(disks, ({ ratio }) => ratio), most({ x: -3 }), most({}), most()],
    [0.5, -3, undefined, undefined],
  );
});

test("positions in a film", () => {
  assert.deepEqual([7.9, 754, 3723, -1, NaN].map(clock), [
    "0:07",
    "12:34",
    "1:02:03",
    "0:00",
    "–:––",
  ]);
  assert.equal(spoken(67), "1 minute 7 seconds");
  assert.equal(spoken(3601), "60 minutes 1 second");
});

test("counts agree with their nouns", () => {
  assert.deepEqual(
    [votes(0), votes(1), votes(1200), voters(1)],
    ["0 votes", "1 vote", "1,200 votes", "1 voter"],
  );
});

test("how a poll stands", () => {
  const choices = [
    { label: "Tea", votes: 2, percent: 67 },
    { label: "Milk", votes: 1, percent: 33 },
  ];
  const poll = { open: true, voters: 3, hidden: false, choices };
  assert.equal(standing(poll), "3 voters. Tea leads with 67%.");
  assert.equal(standing({ ...poll, open: false, hidden: true }), "3 voters, closed.");
  assert.equal(
    standing({ ...poll, choices: choices.map((one) => ({ ...one, votes: 2 })) }),
    "3 voters. Tea and Milk lead with 2 votes each.",
  );
  assert.equal(standing({ ...poll, voters: 0 }), "0 voters.");
  assert.equal(standing({ deleted: true }), "This poll was deleted.");
});

test("the largest size that holds is found, or the least", () => {
  const tried = [];
  const found = largest((size) => tried.push(size) && size <= 0.74);
  assert.ok(found > 0.73 && found <= 0.74, String(found));
  assert.ok(tried.length < 10);
  assert.equal(
    largest(() => true),
    1.3,
  );
  assert.equal(
    largest(() => false),
    0.2,
  );
});

test("the reader's own vote lasts until a reset", () => {
  const mine = own({ dataset: { round: "1", voted: "7 9" } });
  assert.deepEqual(mine({ round: 1 }), [7, 9]);
  assert.deepEqual(mine({ round: 1, voted: [8] }), [8]);
  assert.deepEqual(mine({ deleted: true }), [8]);
  assert.deepEqual(mine({ round: 2 }), []);
});

const now = new Date("2026-03-01T12:00:00Z");
const at = (text, locale = "en-GB", timeZone = "UTC") =>
  when(new Date(text), { now, locale, timeZone });

test("a moment shows as much of its date as is needed", () => {
  assert.equal(at("2026-03-01T09:05:00Z"), "09:05");
  assert.equal(at("2026-02-28T09:05:00Z"), "28 Feb, 09:05");
  assert.equal(at("2025-03-01T09:05:00Z"), "1 Mar 2025, 09:05");
});

test("a moment is in the reader's locale and time zone", () => {
  assert.match(at("2026-03-01T09:05:00Z", "en-US"), /^09:05\sAM$/);
  assert.equal(at("2026-03-01T09:05:00Z", "de-DE", "Europe/Berlin"), "10:05");
  assert.equal(at("2026-03-01T00:30:00Z", "en-GB", "America/New_York"), "28 Feb, 19:30");
  assert.match(exactly(now, { locale: "en-GB", timeZone: "Asia/Tokyo" }), /^1 Mar, 21:00:00$/);
});

test("a <time> keeps the moment for machines, and UTC in its tooltip", () => {
  const element = { textContent: "" };
  setTime(element, new Date("2026-03-01T12:00:00.123Z"));
  assert.equal(element.dateTime, "2026-03-01T12:00:00.123Z");
  assert.equal(element.title, "2026-03-01 12:00:00 UTC");
  assert.notEqual(element.textContent, "");
  assert.equal(utc(now), "2026-03-01 12:00:00 UTC");
});
