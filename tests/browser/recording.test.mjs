// What the audience saw is kept: rewinding while it goes on, the replay with chapters and the total as it rose, and films to take home.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { Encoder, Person, Server, closeBrowser, cut, owner, picture, pledge, rally, send, sleep, story, until } from "./kit.mjs";

const test = story();
let server;
let host;
let made;
let viewer;
let page;
const encoders = [];

const state = () => page.evaluate(() => {
  const video = document.querySelector("video");
  return { at: video.currentTime, frames: video.getVideoPlaybackQuality().totalVideoFrames, height: video.videoHeight, seekable: video.seekable.length ? video.seekable.end(0) : 0, controls: video.controls };
});
const moves = async (why) => {
  const from = await state();
  return until(why, async () => { const now = await state(); return now.at > from.at + 0.7 && now.frames > 10 ? now : false; }, { within: 30_000 });
};
const gets = async (url) => host.context.request.get(new URL(url, server.url).href);

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  viewer = await Person.come(server);
  encoders.push(Encoder.pattern(server.rtmp, made.keys[0], { size: "640x360", rate: 25 }));
  encoders.push(Encoder.pattern(server.rtmp, made.keys[1], { size: "320x180", rate: 30, audio: ["-c:a", "aac", "-ar", "48000"] }));
  await cut(host, made, 0);
  page = await viewer.open(made.href);
  await moves("the picture plays");
});
after(async () => {
  for (const encoder of encoders) await encoder.kill();
  for (const person of [viewer, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
});

test("who came late goes back to the start, and to the live picture again", async () => {
  await sleep(6000);
  await page.click("[data-back]");
  await until("it plays from the start", async () => { const now = await state(); return now.controls && now.at > 0.3 && now.at < now.seekable - 3; });
  await moves("the start plays");
  await page.click("text=Back to live");
  await until("it is live again", async () => { const now = await state(); return !now.controls && now.at > 0; });
  await moves("the live picture plays");
});

test("the sound alone plays, and the picture comes back", async () => {
  await page.click("[data-sound-only]");
  await until("only sound plays", async () => { const now = await state(); return now.height === 0 && now.at > 0; });
  const from = await page.evaluate(() => document.querySelector("video").webkitAudioDecodedByteCount);
  await until("sound is decoded", async () => (await page.evaluate(() => document.querySelector("video").webkitAudioDecodedByteCount)) > from + 5000);
  await page.click("text=Show the picture");
  await until("the picture is back", async () => (await state()).height === 360);
});

test("the host takes home each speaker's time", async () => {
  const giver = await Person.come(server);
  const form = await giver.open(`${made.href}/donate`);
  await pledge(form, { amount: "25" });
  await form.click("button[type=submit], button.primary");
  await giver.context.close();
  await cut(host, made, 1);
  await sleep(6000);
  const html = await (await gets(`${made.studio}/recording`)).text();
  const films = [...html.matchAll(/href="([^"]*recording\.mp4[^"]*)"/g)].map((found) => found[1].replaceAll("&amp;", "&").replaceAll("&#38;", "&"));
  assert(films.length >= 3 && !films[0].includes("from=") && html.includes("changes its size"), html);
  const folder = mkdtempSync(path.join(os.tmpdir(), "groundswell-films-"));
  const told = [];
  for (const [index, film] of films.entries()) {
    const answer = await gets(film);
    assert.equal(answer.status(), 200);
    const name = path.join(folder, `${index}.mp4`);
    writeFileSync(name, await answer.body());
    // Every picture is decoded, on the file's own clock: what is broken in the file is told on stderr.
    const decoded = spawnSync("ffmpeg", ["-v", "error", "-i", name, "-enc_time_base", "-1", "-f", "null", "-"], { encoding: "utf8" });
    const probe = spawnSync("ffprobe", ["-v", "error", "-show_entries", "stream=codec_name,width,start_time", "-of", "json", name], { encoding: "utf8" });
    assert.equal(decoded.status, 0, decoded.stderr);
    told.push({ errors: decoded.stderr, streams: JSON.parse(probe.stdout).streams });
  }
  rmSync(folder, { recursive: true, force: true });
  assert(told.every(({ streams }) => streams.map((stream) => stream.codec_name).join() === "h264,aac"), JSON.stringify(told));
  assert(told.every(({ streams }) => Number(streams[0].start_time) < 0.2), "a film begins at its beginning");
  assert.deepEqual(told.map(({ errors }) => errors), told.map(() => ""));
  assert.deepEqual([told[0].streams[0].width, told.at(-1).streams[0].width], [640, 320]);
});

test("when it has ended, the page is the replay", async () => {
  await send(host, made.studio, `${made.studio}/end`, {});
  for (const encoder of encoders) await encoder.kill();
  await sleep(1500);
  await page.goto(new URL(made.href, server.url).href);
  await page.locator("[data-chapters] button").nth(1).waitFor();
  const names = await page.locator("[data-chapters] b").allTextContents();
  assert.deepEqual(names.slice(0, 2), ["Marisol Vega", "Ama Boateng"]);
  await page.locator("[data-chapters] button").nth(1).click();
  await until("the second speaker plays", async () => { const now = await state(); return now.height === 180 && now.frames > 5; }, { within: 30_000 });
  await picture(page, "replay-1440");
  await page.setViewportSize({ width: 390, height: 844 });
  await picture(page, "replay-390");
});

test("it outlives a restart, and is gone when the host deletes it", async () => {
  await server.stop();
  await server.run();
  assert.equal((await fetch(`${server.url}${made.href}/program/replay.m3u8`)).status, 200);
  const list = await (await fetch(`${server.url}${made.href}/program/replay.m3u8`)).text();
  assert(list.includes("#EXT-X-PLAYLIST-TYPE:VOD") && list.trimEnd().endsWith("#EXT-X-ENDLIST"));
  const first = list.split("\n").find((line) => line && !line.startsWith("#"));
  const segment = await fetch(`${server.url}${made.href}/program/${first}`);
  assert.equal(segment.status, 200);
  const recording = await host.open(`${made.studio}/recording`);
  await picture(recording, "recording-1440");
  await send(host, `${made.studio}/recording`, `${made.studio}/recording/delete`, {});
  await until("the replay is gone", async () => (await fetch(`${server.url}${made.href}/program/replay.m3u8`)).status === 404);
  assert.equal((await fetch(`${server.url}${made.href}/replay.json`)).status, 404);
  assert(!(await (await fetch(`${server.url}${made.href}`)).text()).includes("data-replay"));
});
