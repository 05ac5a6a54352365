// What the player decides by itself: how far behind live it stays, and when it lets go of what was played.
import assert from "node:assert/strict";
import test from "node:test";
import { Steps } from "../../static/src/_latency.js";
import { mayGo } from "../../static/src/_trim.js";

const MINUTE = 60_000;

test("a standstill costs half a second, and a calm minute gives it back", () => {
  const steps = new Steps();
  assert.equal(steps.tick(10 * MINUTE), false, "nobody comes nearer than the playlist allows");
  for (let count = 1; count <= 6; count += 1) {
    steps.stoodStill(count * 1000);
    assert.equal(steps.count, Math.min(count, 4), "no more than two seconds farther");
  }
  assert.equal(steps.tick(MINUTE), false, "not yet calm");
  assert.equal(steps.tick(6000 + MINUTE), true);
  assert.equal(steps.tick(6000 + MINUTE + 1), false, "a step at a time");
  assert.equal(steps.count, 3);
});

test("who comes nearer and stands still again waits longer each time", () => {
  const steps = new Steps();
  let now = 0;
  const waits = [];
  for (let round = 0; round < 7; round += 1) {
    steps.stoodStill(now);
    const from = now;
    while (!steps.tick(now)) now += 1000;
    waits.push((now - from) / MINUTE);
    now += 1000;
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 16, 16]);
});

test("what was played goes between two parts, and at last in any case", () => {
  const part = (sn, index) => ({ fragment: { sn }, index });
  const newest = part(7, 3);
  assert.equal(mayGo({ start: 0, end: 9, part: newest, newest }), false, "not worth it yet");
  assert.equal(mayGo({ start: 0, end: 11, part: newest, newest }), true, "nothing else is there to load");
  assert.equal(mayGo({ start: 0, end: 11, part: part(7, 2), newest }), false, "the next part is under way");
  assert.equal(mayGo({ start: 0, end: 11, part: undefined, newest }), false, "a whole segment, with parts after it");
  assert.equal(mayGo({ start: 0, end: 91, part: part(7, 2), newest }), true, "it can't grow for ever");
  assert.equal(mayGo({ start: 0, end: 11, part: undefined, newest: undefined }), true, "no parts at all");
});
