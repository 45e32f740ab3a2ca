/** A slider that sends while it is moved. */
import assert from "node:assert/strict";
import test from "node:test";
import { slider } from "../../static/js/player/slider.js";
import { Clock } from "./clock.js";

function handle(t) {
  const sent = [];
  const clock = new Clock();
  t.after(() => clock.restore());
  const input = Object.assign(new EventTarget(), { value: "0", step: "1" });
  const show = slider(input, async (value) => sent.push(value));
  const move = (value) => {
    input.value = String(value);
    input.dispatchEvent(new Event("input"));
  };
  return { input, sent, show, move, pass: (ms) => clock.pass(ms) };
}

test("values between two calls are left out, and the last one is sent", async (t) => {
  const { sent, move, pass } = handle(t);
  [10, 20, 30].forEach(move);
  assert.deepEqual(sent, [10]);
  await pass(80);
  assert.deepEqual(sent, [10, 30]);
  await pass(80);
  assert.deepEqual(sent, [10, 30]);
});

test("it is not pulled out of the hand, and follows once that has left", async (t) => {
  const { input, show, move, pass } = handle(t);
  move(50);
  show(10);
  assert.equal(input.value, "50");
  await pass(100);
  show(10);
  assert.equal(input.value, "50", "the hand may still be there");
  await pass(400);
  show(10);
  assert.equal(input.value, 10);
  show(10.4);
  assert.equal(input.value, 10, "less than half a step");
});
