// The picture in a browser: it plays with sound, and goes on through everything that happens to a speaker or to the server.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Encoder, Person, Server, closeBrowser, cut, owner, rally, sleep, story, totalOf, until } from "./kit.mjs";

const test = story();
let server;
let host;
let made;
let viewer;
let page;
const encoders = [];
const send = (encoder) => { encoders.push(encoder); return encoder; };

// Chromium itself counts what it decoded, so a picture that only seems to play is found out.
const playing = () => page.evaluate(() => {
  const video = document.querySelector("video");
  return {
    at: video.currentTime, frames: video.getVideoPlaybackQuality().totalVideoFrames, sound: video.webkitAudioDecodedByteCount, height: video.videoHeight,
    muted: video.muted, paused: video.paused,
  };
});

/** The picture moves on from where it is now: time and decoded frames both rise. */
async function moves(why, within = 30_000) {
  const from = await playing();
  return until(why, async () => {
    const now = await playing();
    // A player that mends itself starts its counters again.
    if (now.frames < from.frames) Object.assign(from, now);
    return now.at > from.at + 1 && now.frames > from.frames + 15 ? now : false;
  }, { within });
}

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  viewer = await Person.come(server);
});
after(async () => {
  for (const encoder of encoders) await encoder.kill();
  await viewer?.context.close();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

test("a visitor who waits before the first speaker sees the slate, and no error", async () => {
  page = await viewer.open(made.href);
  await moves("the slate's picture plays");
  assert.equal((await playing()).height, 720);
  assert.equal(await page.locator(".slate").isVisible(), false, "the picture says it, and no words over it");
  viewer.clean();
});

test("the speaker's picture comes up by itself and moves", async () => {
  send(Encoder.clip(server.rtmp, made.keys[0]));
  await cut(host, made, 0);
  await until("the speaker is seen", async () => (await playing()).height === 540, { within: 40_000 });
  await moves("the picture plays");
  assert.equal(await page.locator(".slate").count(), 0);
  assert.equal((await page.locator(".third b").textContent()).trim(), "Marisol Vega");
  viewer.clean();
});

test("a tap gives sound", async () => {
  assert.equal((await playing()).muted, true, "silent until asked");
  await page.click("text=Tap for sound");
  const from = await playing();
  assert.equal(from.muted, false);
  await until("sound is decoded", async () => (await playing()).sound > from.sound + 10_000);
  await moves("the picture goes on");
  await page.click("[data-sound]");
  assert.equal((await playing()).muted, true);
  viewer.clean();
});

test("a speaker whose encoder dies and comes back plays on", async () => {
  await encoders[0].kill();
  await sleep(3000);
  send(Encoder.clip(server.rtmp, made.keys[0]));
  await until("the speaker is on air again", async () => {
    const html = await (await host.context.request.get(server.url + made.studio)).text();
    return /ON AIR/.test(html) && !/class="pill warn"/.test(html);
  });
  await moves("the picture goes on", 40_000);
  viewer.clean();
});

test("a cut to a speaker of another size plays on", async () => {
  send(Encoder.pattern(server.rtmp, made.keys[1], { size: "640x360", rate: 30 }));
  await until("the second speaker is ready", async () => />ready</.test(await (await host.context.request.get(server.url + made.studio)).text()));
  await cut(host, made, 1);
  await until("the second speaker's picture is shown", async () => (await playing()).height === 360, { within: 40_000 });
  await moves("the picture goes on");
  await cut(host, made, 0);
  await until("the first speaker's picture is shown again", async () => (await playing()).height === 540, { within: 40_000 });
  await moves("the picture goes on");
  viewer.clean();
});

for (const signal of ["SIGTERM", "SIGKILL"]) {
  test(`the page outlives a server that ended by ${signal}`, async () => {
    const before = await totalOf(page);
    await page.evaluate(() => { window.sameDocument = true; });
    // What a browser says of a server that is gone is expected until the server is back and found again.
    viewer.outage = true;
    await server.stop(signal);
    await page.locator("[data-live-state]").waitFor({ state: "visible" });
    await server.run();
    send(Encoder.clip(server.rtmp, made.keys[0]));
    await page.locator("[data-live-state]").waitFor({ state: "hidden", timeout: 40_000 });
    await moves("the picture comes back", 60_000);
    viewer.outage = false;
    assert.equal(await totalOf(page), before);
    assert.equal(await page.evaluate(() => window.sameDocument), true, "the page came back without a reload");
    await moves("the picture goes on");
    viewer.clean();
  });
}
