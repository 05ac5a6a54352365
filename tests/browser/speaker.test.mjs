// A speaker without an account goes live from the browser, is told when they are on, and comes back by themselves.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import { PICTURES, Person, Server, closeBrowser, cut, owner, rally, send, sleep, story, until } from "./kit.mjs";

const test = story();
let server;
let host;
let made;
let speaker;
let room;
let viewer;
let page;

const text = (part) => room.locator(`[data-${part}]`).textContent();
const studio = async () => (await host.context.request.get(server.url + made.studio)).text();
const playing = () => page.evaluate(() => {
  const video = document.querySelector("video");
  return { at: video.currentTime, frames: video.getVideoPlaybackQuality().totalVideoFrames, sound: video.webkitAudioDecodedByteCount, height: video.videoHeight, muted: video.muted };
});
async function moves(why, within = 40_000) {
  let from = await playing();
  return until(why, async () => {
    const now = await playing();
    if (now.frames < from.frames) from = now;
    return now.at > from.at + 1 && now.frames > from.frames + 15 ? now : false;
  }, { within });
}
const onAir = (within = 20_000) => until("the tally says ON AIR", async () => (await text("tally")) === "ON AIR", { within });

before(async () => {
  mkdirSync(PICTURES, { recursive: true });
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  speaker = await Person.come(server);
  viewer = await Person.come(server);
});
after(async () => {
  await speaker?.context.close();
  await viewer?.context.close();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

test("the personal link stands first on the host's page, and opens without an account", async () => {
  const html = await (await host.context.request.get(`${server.url}${made.studio}/speakers/${made.ids[0]}`)).text();
  const link = /id="speak_url"[^>]* value="([^"]+)"/.exec(html)[1];
  assert.equal(link, `${server.url}/speak/${made.keys[0]}`);
  assert(html.indexOf('id="speak_url"') < html.indexOf('id="stream_key"'));
  room = await speaker.open(link);
  assert.equal(await room.locator("h1").textContent(), "Marisol Vega");
  assert.equal(await text("turn"), "You are first.");
  assert.equal(await text("tally"), "OFF AIR");
  speaker.clean();
});

test("the speaker sees their picture and their level before anybody else does", async () => {
  await room.click("[data-allow]");
  await until("the own picture moves", () => room.evaluate(() => document.querySelector("[data-picture]").videoWidth > 0));
  await until("the level moves", () => room.evaluate(() => Number(document.querySelector("[data-meter]").style.getPropertyValue("--level")) > 0.2));
  assert((await room.locator("#camera option").count()) > 0);
  assert(!/>ready</.test(await studio()), "nobody sees them yet");
  await room.screenshot({ path: path.join(PICTURES, "speak-ready-1440.png") });
  speaker.clean();
});

test("one button sends the picture to the studio, and the line is judged", async () => {
  await room.click("[data-send]");
  await until("the studio has the picture", async () => (await text("tally")) === "READY", { within: 30_000 });
  await until("the host sees them ready", async () => />ready</.test(await studio()));
  assert.match(await studio(), /WHIP · H\.264 \d+x\d+ · AAC 48 kHz stereo/);
  await until("the line is judged", async () => /Mbit\/s/.test(await text("line")));
  speaker.clean();
});

test("the half picture that the page sends besides is a quality of its own, which the player can choose", async () => {
  let said;
  await until("the studio has both", async () => {
    said = await studio();
    return /H\.264 1280x720[\s\S]*also 640×360/.test(said);
  }, { within: 30_000 }).catch((error) => assert.fail(`${error.message}: ${said.match(/WHIP · [^<]*(?:<[^>]*>[^<]*){0,12}/)}`));
  speaker.clean();
});

test("a cut lights the tally, and the audience has picture and sound", async () => {
  page = await viewer.open(made.href);
  await cut(host, made, 0);
  await onAir();
  await moves("the picture plays");
  await page.click("text=Tap for sound");
  const from = await playing();
  await until("sound is decoded", async () => (await playing()).sound > from.sound + 10_000);
  // The fake camera beeps: what is decoded is no silence.
  const loud = await page.evaluate(async () => {
    const video = document.querySelector("video");
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(video.captureStream()).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let most = 0;
    for (let n = 0; n < 60; n += 1) {
      await new Promise((done) => setTimeout(done, 50));
      analyser.getFloatTimeDomainData(samples);
      most = samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), most);
    }
    return most;
  });
  assert(loud > 0.01, `the beep is heard: ${loud}`);
  await moves("the picture goes on");
  await room.screenshot({ path: path.join(PICTURES, "speak-on-air-1440.png") });
  await room.setViewportSize({ width: 390, height: 844 });
  await room.screenshot({ path: path.join(PICTURES, "speak-on-air-390.png") });
  speaker.clean();
  viewer.clean();
});

test("a viewer whose network is weak gets the half picture, and the whole one when it is strong again", async () => {
  // The page was opened before anybody sent two qualities: it learns of them when it stands still.
  const line = await viewer.context.newCDPSession(page);
  await line.send("Network.enable");
  const throttle = (downloadThroughput) => line.send("Network.emulateNetworkConditions", { offline: false, latency: 20, downloadThroughput, uploadThroughput: -1 });
  assert.equal((await playing()).height, 720);
  await throttle(48_000);
  await until("the half picture plays", async () => (await playing()).height === 360, { within: 60_000 });
  await moves("the half picture goes on");
  await throttle(-1);
  await until("the whole picture plays again", async () => (await playing()).height === 720, { within: 60_000 });
  await moves("the whole picture goes on");
  await line.detach();
  viewer.clean();
});

test("who waits is told when it is their turn, and reads what the host wrote to them alone", async () => {
  const other = await Person.come(server, { viewport: { width: 390, height: 844 } });
  const waits = await other.open(`/speak/${made.keys[1]}`);
  assert.equal(await waits.locator("[data-turn]").textContent(), "You are next, after Marisol Vega.");
  const golive = `${made.studio}/speakers/${made.ids[1]}`;
  await send(host, golive, `${golive}/note`, { note: "Two more minutes." });
  await until("the note is shown", async () => (await waits.locator("[data-note-text]").textContent()) === "Two more minutes.");
  assert.equal(await room.locator("[data-note]").isVisible(), false);
  await waits.screenshot({ path: path.join(PICTURES, "speak-waiting-390.png") });
  await other.leave();
});

test("mute sends silence and goes on", async () => {
  await room.click("[data-mute]");
  assert.equal(await room.locator("[data-mute]").getAttribute("aria-pressed"), "true");
  await moves("the picture goes on without sound");
  await room.click("[data-mute]");
  speaker.clean();
});

for (const signal of ["SIGTERM", "SIGKILL"]) {
  test(`a server that ended by ${signal} finds the speaker again`, async () => {
    speaker.outage = true;
    viewer.outage = true;
    await server.stop(signal);
    await sleep(1000);
    await server.run();
    await onAir(60_000);
    await moves("the audience's picture comes back", 60_000);
    speaker.outage = false;
    viewer.outage = false;
    speaker.clean();
    viewer.clean();
  });
}

test("whoever stops is off, and the host sees it", async () => {
  await room.click("[data-stop]");
  await until("the tally is out", async () => (await text("tally")) === "OFF AIR");
  await until("the host sees them gone", async () => /class="pill warn">dropped/.test(await studio()));
  speaker.clean();
});

test("a new key ends the old link at once", async () => {
  const golive = `${made.studio}/speakers/${made.ids[0]}`;
  await send(host, golive, `${golive}/key`, {});
  await until("the page says so", async () => /no longer yours/.test(await text("say")));
  speaker.clean();
});
