// The whole program as one MP4: speakers of every format one behind the other, in step, for every player.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createReadStream, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { Encoder, Person, Server, closeBrowser, cut, owner, picture, rally, send, sleep, story, until } from "./kit.mjs";

const test = story();
const folder = mkdtempSync(path.join(os.tmpdir(), "groundswell-film-"));
const whole = path.join(folder, "whole.mp4");
let server;
let host;
let made;
let films;
const encoders = [];

// A white picture and a beep each second.
const SPEAKERS = [
  { name: "Wide", size: "1280x720", rate: 25, video: ["-tune", "zerolatency"], hertz: 48000, channels: 2 },
  { name: "Small", size: "640x360", rate: 25, video: ["-tune", "zerolatency"], hertz: 44100, channels: 1 },
  { name: "Reordered", size: "848x480", rate: 30, video: ["-bf", "3", "-b_strategy", "0"], hertz: 44100, channels: 2 },
  { name: "Mute", size: "320x180", rate: 25, video: ["-tune", "zerolatency"] },
];
const ORDER = [0, 1, 2, 3, 0, 2, 1, 0];
const SECONDS_EACH = 5;

function speak(key, { size, rate, video, hertz, channels }) {
  const sound = hertz
    ? ["-re", "-f", "lavfi", "-i", `aevalsrc='if(lt(mod(t,1),0.06),0.6*sin(2*PI*1500*t),0)':s=${hertz}`, "-ac", String(channels), "-c:a", "aac", "-b:a", "96k"]
    : ["-an"];
  const [inputs, output] = hertz ? [sound.slice(0, 5), sound.slice(5)] : [[], sound];
  return new Encoder([
    "-re", "-f", "lavfi", "-i", `color=black:size=${size}:rate=${rate},drawbox=color=white:t=fill:enable='lt(mod(n,${rate}),1)'`, ...inputs,
    "-t", "180", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", String(rate), ...video, ...output, "-f", "flv", `${server.rtmp}/${key}`,
  ]);
}

const run = (program, args, options = {}) => spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28, ...options });

/** When pictures turn white, in seconds, with their sizes; and when pictures are shown at all. */
function flashes(file, options) {
  const told = run("ffmpeg", ["-v", "info", "-nostdin", "-i", file, "-an", "-vf", "showinfo", "-fps_mode", "passthrough", "-f", "null", "-"], options).stderr;
  const pictures = [...told.matchAll(/pts_time:\s*([0-9.]+).*? s:(\d+)x\d+ .*?mean:\[(\d+)/g)].map(([, at, width, mean]) => ({ at: Number(at), width: Number(width), white: Number(mean) > 128 }));
  return { pictures, white: pictures.filter((one, n) => one.white && !(pictures[n - 1]?.white && pictures[n - 1].width === one.width)) };
}

/** When beeps begin and end, in seconds. */
function beeps(file) {
  const pcm = run("ffmpeg", ["-v", "error", "-nostdin", "-i", file, "-vn", "-af", "aresample=48000:async=1:first_pts=0", "-ac", "1", "-f", "s16le", "-"], { encoding: "buffer" }).stdout;
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length >> 1);
  const found = [];
  let loud = -1e9;
  for (let at = 0; at < samples.length; at += 1) {
    if (Math.abs(samples[at]) < 6000) continue;
    if (at - loud > 960) found.push({ from: at / 48_000 });
    loud = at;
    found.at(-1).until = at / 48_000;
  }
  return found;
}

/** Where the host takes home the film, and each speaker's. */
async function links() {
  const html = await (await host.context.request.get(new URL(`${made.studio}/recording`, server.url).href)).text();
  return [...html.matchAll(/href="([^"]*recording\.mp4[^"]*)"/g)].map((found) => found[1].replaceAll("&amp;", "&").replaceAll("&#38;", "&"));
}

/** How long pictures are shown, in seconds. */
function lengthOf(file) {
  const told = run("ffprobe", ["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time,duration_time", "-of", "csv=p=0", file]).stdout;
  const packets = told.trim().split("\n").map((line) => line.split(",").map(Number));
  return Math.max(...packets.map(([at, length]) => at + length)) - Math.min(...packets.map(([at]) => at));
}

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host, { speakers: SPEAKERS.map(({ name }) => name) });
  SPEAKERS.forEach((speaker, n) => encoders.push(speak(made.keys[n], speaker)));
  await until("all are there", async () => {
    const studio = await (await host.context.request.get(new URL(`${made.studio}/live.json`, server.url).href)).text();
    return SPEAKERS.every(({ size }) => studio.includes(size));
  }, { within: 40_000 });
  for (const speaker of ORDER) {
    await cut(host, made, speaker);
    await sleep(SECONDS_EACH * 1000);
  }
  await send(host, made.studio, `${made.studio}/end`, {});
  for (const encoder of encoders) await encoder.kill();
  // A slow disk takes its time with the last segment.
  let bytes = 0;
  await until("all of it is on the disk", async () => {
    const last = bytes;
    bytes = (await (await host.context.request.get(new URL((await links())[0], server.url).href)).body()).length;
    return bytes > 0 && bytes === last;
  }, { every: 1500 });
});
after(async () => {
  for (const encoder of encoders) await encoder.kill();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
  if (!process.env.GROUNDSWELL_KEEP) rmSync(folder, { recursive: true, force: true });
  else console.log(`kept: ${folder}`);
});

test("all of it is one film that decodes without a word", async () => {
  films = [];
  for (const [n, link] of (await links()).entries()) {
    const answer = await host.context.request.get(new URL(link, server.url).href);
    assert.equal(answer.status(), 200);
    const file = n === 0 ? whole : path.join(folder, `${n}.mp4`);
    writeFileSync(file, await answer.body());
    // With the file's own clock: ffmpeg would count in the first speaker's pictures otherwise, and another's are more a second.
    const decoded = run("ffmpeg", ["-v", "error", "-xerror", "-nostdin", "-i", file, "-enc_time_base", "-1", "-f", "null", "-"]);
    assert.deepEqual([decoded.status, decoded.stderr], [0, ""], file);
    const packets = run("ffprobe", ["-v", "error", "-show_entries", "packet=stream_index,dts,pts,duration", "-of", "csv=p=0", file]);
    assert.equal(packets.stderr, "");
    const last = new Map();
    for (const line of packets.stdout.trim().split("\n")) {
      const [stream, pts, dts] = line.split(",").map(Number);
      assert(!(last.get(stream) >= dts), `${file}: decoded at ${last.get(stream)}, then at ${dts}`);
      assert(pts >= dts, `${file}: shown at ${pts} before it is decoded at ${dts}`);
      last.set(stream, dts);
    }
    films.push({ file, ...flashes(file) });
  }
  const speakers = films.slice(1);
  assert.equal(speakers.length, ORDER.length, films.map(({ pictures }) => pictures[0].width).join());
  const sum = speakers.reduce((all, film) => all + lengthOf(film.file), 0);
  assert(Math.abs(lengthOf(whole) - sum) < 0.1, `${lengthOf(whole)} s, and one by one ${sum} s`);
  // Where a feed is left between reordered pictures, up to three of them never came.
  const steps = films[0].pictures.slice(1).map(({ at }, n) => at - films[0].pictures[n].at);
  assert(Math.min(...steps) > 0.005 && Math.max(...steps) < 0.15, `between pictures: ${Math.min(...steps)} to ${Math.max(...steps)} s`);
});

test("flashes and beeps are in step before and after each join", async () => {
  const heard = beeps(whole);
  const joins = films[0].pictures.filter(({ width }, n) => n > 0 && width !== films[0].pictures[n - 1].width).map(({ at }) => at);
  const off = [];
  for (const { at, width } of films[0].white) {
    if (width === 320) continue;
    const nearest = heard.reduce((best, { from }) => (Math.abs(from - at) < Math.abs(best - at) ? from : best), 1e9);
    // The one before may have beeped right up to the join: then one beep goes over into the other.
    const goesOver = joins.includes(at) && heard.some(({ from, until }) => from < at && until > at + 0.045);
    off.push({ at, width, off: goesOver ? 0 : Math.round((nearest - at) * 1000) });
  }
  for (const { from } of heard) {
    const seen = films[0].pictures.findLast(({ at }) => at <= from);
    // Sound is cut between two of its frames, the one before may begin a beep in the last of them.
    const afterJoin = joins.some((join) => from >= join && from < join + 0.045);
    assert(seen.width !== 320 || afterJoin, `who sends no sound is heard at ${from} s`);
  }
  console.log(`off by ms: ${off.map((one) => `${one.width}: ${one.off}`).join(", ")}`);
  // A decoder's first frame of a feed fades in: a beep right at a join is heard from its second half on. In the last tenth
  // before one it may be cut off.
  const within = ({ at }) => (joins.some((join) => at >= join && at < join + 0.04) ? 45 : joins.some((join) => at < join && at > join - 0.1) ? 1e9 : 25);
  assert(off.filter((one) => within(one) === 25).length > 20, JSON.stringify(off));
  assert.deepEqual(off.filter((one) => Math.abs(one.off) > within(one)), [], `joins at ${joins.join(" ")}`);
});

test("cut off half way it still plays", () => {
  const bytes = readFileSync(whole);
  // In the head of a fragment, and in its body. It comes through a pipe, as a download does: of a file ffmpeg reads all heads before
  // it begins, and wants each of them whole.
  const inHead = bytes.indexOf("moof", Math.floor(bytes.length * 0.6)) + 100;
  const inBody = bytes.indexOf("mdat", inHead) + 100;
  assert(inHead > 100 && inBody > inHead, "a film has fragments");
  for (const end of [inHead, inBody]) {
    const { pictures } = flashes("pipe:0", { input: bytes.subarray(0, end) });
    assert(pictures.length > films[0].pictures.length * 0.4, `${pictures.length} of ${films[0].pictures.length}`);
  }
});

test("a browser plays it over every join", async () => {
  const files = http.createServer((request, response) => {
    if (request.url !== "/whole.mp4") {
      response.writeHead(200, { "content-type": "text/html" });
      response.end(request.url === "/" ? "<!doctype html><title>film</title><video muted src=/whole.mp4></video>" : "");
      return;
    }
    const size = statSync(whole).size;
    const from = Number(/bytes=(\d+)/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(request.headers.range ? 206 : 200, { "content-type": "video/mp4", "accept-ranges": "bytes", "content-length": size - from, "content-range": `bytes ${from}-${size - 1}/${size}` });
    createReadStream(whole, { start: from }).pipe(response);
  }).listen(0, "127.0.0.1");
  await new Promise((done) => files.once("listening", done));
  const viewer = await Person.come(server, { hosts: [`127.0.0.1:${files.address().port}`] });
  const page = await viewer.open(`http://127.0.0.1:${files.address().port}/`);
  const played = await page.evaluate(() => new Promise((done) => {
    const video = document.querySelector("video");
    const widths = [];
    const look = () => {
      if (widths.at(-1) !== video.videoWidth) widths.push(video.videoWidth);
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
    const tell = (end) => done({ end, widths, at: video.currentTime, error: video.error?.message, frames: video.getVideoPlaybackQuality().totalVideoFrames, sound: video.webkitAudioDecodedByteCount });
    video.onended = () => tell("ended");
    video.onerror = () => tell("error");
    setTimeout(() => tell("late"), 60_000);
    video.playbackRate = 2;
    video.play();
  }));
  files.close();
  const sizes = ORDER.map((speaker) => Number(SPEAKERS[speaker].size.split("x")[0]));
  assert.deepEqual([played.end, played.error, played.widths], ["ended", undefined, sizes], JSON.stringify(played));
  assert(played.at > ORDER.length * (SECONDS_EACH - 1) && played.frames > 200 && played.sound > 30_000, JSON.stringify(played));
  // To the middle of another speaker's time, and on from there.
  await page.evaluate(() => { const video = document.querySelector("video"); video.currentTime = video.duration * 0.3; video.play(); });
  await until("it goes on from there", () => page.evaluate(() => { const video = document.querySelector("video"); return !video.seeking && video.currentTime > video.duration * 0.3 + 0.5 && video.currentTime < video.duration * 0.6; }));
  await viewer.context.close();
});

test("the page says what becomes of the formats", async () => {
  const page = await host.open(`${made.studio}/recording`);
  assert.match(await page.textContent("main"), /Sound of different formats is brought to one/);
  await picture(page, "recording-film-1440");
  await page.setViewportSize({ width: 390, height: 844 });
  await picture(page, "recording-film-390");
});
