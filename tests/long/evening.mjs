// A long evening: a program with cuts between an encoder, a browser's camera and a clip, followed to the last byte.
//   node tests/long/evening.mjs [--minutes 10] [--each SECONDS between cuts] [--sources rtmp,whip,clip]
// Every playlist is read by hls-parser (strict) and m3u8-parser, every run between two cuts by mp4box, ffprobe and ffmpeg; two players
// watch it all: the rally page's own, and Chromium's native one. A flash and a beep in each encoder's picture show how far apart
// picture and sound are. Ends with a record, and with status 1 where a promise was not kept.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import HLS from "hls-parser";
import { createFile } from "mp4box";
import { Parser } from "m3u8-parser";
import { Encoder, Person, Server, closeBrowser, owner, rally, send, sleep, until } from "../browser/kit.mjs";

const { values: given } = parseArgs({ options: { minutes: { type: "string", default: "10" }, each: { type: "string", default: "30" }, sources: { type: "string", default: "rtmp,whip,clip" } } });
const END_MS = Number(given.minutes) * 60_000;
const EACH_MS = Number(given.each) * 1000;
const SOURCES = given.sources.split(",");
/** A standstill beyond this breaks the promise. */
const STALL_MS_MAX = 2000;
/** Picture and sound may drift apart so far. */
const DRIFT_MS_MAX = 40;

HLS.setOptions({ strictMode: true });
const folder = mkdtempSync(path.join(os.tmpdir(), "groundswell-evening-"));
const closing = [];
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const say = (text) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

// One frame in 25 is white, and one beep in a second begins with it.
const flashing = (size) => [
  "-f", "lavfi", "-i", `testsrc2=size=${size}:rate=25,drawbox=t=fill:color=black,drawbox=t=fill:color=white:enable='lt(mod(t,1),0.039)'`,
  "-f", "lavfi", "-i", "aevalsrc='0.5*sin(880*2*PI*t)*lt(mod(t,1),0.05)':s=48000",
];
const coded = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "50", "-b:v", "800k", "-c:a", "aac", "-b:a", "96k"];

const server = await Server.start();
closing.push(() => server.close(), () => closeBrowser());
const host = await owner(server);
const made = await rally(host, { speakers: SOURCES.map((kind, index) => `${kind} ${index + 1}`) });
const studio = async () => (await host.context.request.get(`${server.url}${made.studio}/live.json`)).text();
const base = `${server.url}${made.href}/program`;
const sources = [];
for (const [index, kind] of SOURCES.entries()) {
  if (kind === "rtmp") {
    const size = ["640x360", "1280x720", "426x240"][index % 3];
    const encoder = new Encoder(["-re", ...flashing(size), "-t", String(END_MS / 1000 + 120), ...coded, "-f", "flv", `${server.rtmp}/${made.keys[index]}`]);
    closing.push(() => encoder.kill());
    sources.push(made.ids[index]);
  } else if (kind === "whip") {
    const speaker = await Person.come(server);
    const room = await speaker.open(`${server.url}/speak/${made.keys[index]}`);
    await room.click("[data-allow]");
    await until("the camera runs", () => room.evaluate(() => document.querySelector("[data-picture]").videoWidth > 0));
    await room.click("[data-send]");
    sources.push(made.ids[index]);
  } else {
    const file = path.join(folder, "clip.mp4");
    execFileSync("ffmpeg", ["-loglevel", "error", "-nostdin", ...flashing("854x480"), "-t", String(EACH_MS / 1000 + 10), ...coded, "-bf", "2", file]);
    const page = await host.open(`${made.studio}/clips`);
    await page.fill("#clip-title", "A clip");
    await page.setInputFiles("#clip-file", file);
    await page.click("text=Upload");
    await page.locator("[name=source]:not([value=''])").first().waitFor({ state: "attached" });
    sources.push(await page.locator("[name=source]:not([value=''])").first().getAttribute("value"));
    await page.close();
  }
}
await until("all who connect are there", async () => ((await studio()).match(/>ready</g) ?? []).length >= SOURCES.filter((kind) => kind !== "clip").length, { within: 60_000 });
const cut = (source) => send(host, made.studio, `${made.studio}/program`, { source });

// ---- the players

const watch = (page) => page.evaluate(() => {
  const video = document.querySelector("video");
  window.seen = { at: -1, since: performance.now(), longest: 0, stalls: [], begun: false, lags: [] };
  setInterval(() => {
    const now = performance.now();
    const { seen } = window;
    if (video.currentTime !== seen.at) {
      if (seen.begun) {
        // Who looks may have been held up too.
        seen.longest = Math.max(seen.longest, now - seen.since);
        if (now - seen.since > 500) seen.stalls.push({ ms: Math.round(now - seen.since), at: Date.now() });
      }
      seen.begun ||= seen.at > 0;
      Object.assign(seen, { at: video.currentTime, since: now });
    } else if (seen.begun) seen.longest = Math.max(seen.longest, now - seen.since);
  }, 50);
  setInterval(() => {
    const picture = window.groundswellPicture?.();
    if (picture) window.seen.lags.push(Date.now() - picture);
  }, 1000);
});

await cut(sources[0]);
// Chromium's own player gives up on a playlist that has less than it wants to begin with.
await until("the program has some segments", async () => (await (await fetch(`${base}/video.m3u8`)).text()).split("#EXTINF").length > 4, { within: 60_000 });
const viewers = [];
for (const native of [false, true]) {
  const person = await Person.come(server);
  const page = await person.open(made.href);
  if (native) {
    // The same page's address and policy, with nothing but the browser's own player in it.
    await page.route("**/native", (route) => route.fulfill({ contentType: "text/html", body: `<video muted autoplay playsinline src="${made.href}/program/index.m3u8"></video>` }));
    await page.goto(`${server.url}/native`);
    // From here on nothing stands between the player and the server.
    await page.unroute("**/native");
    if (!await page.evaluate(() => document.createElement("video").canPlayType("application/vnd.apple.mpegurl"))) { say("this browser has no native player"); await page.close(); continue; }
  }
  await until(`${native ? "the native player's" : "hls.js's"} picture moves`, () => page.evaluate(() => document.querySelector("video").currentTime > 1), { within: 60_000 });
  await watch(page);
  viewers.push({ name: native ? "native" : "hls.js", page });
}

// ---- the follower: everything that is named, once

const counts = { playlists: 0, parts: 0, segments: 0, runs: 0, bytes: 0 };
const faults = [];
const offsets = [];
let run = null;

/** Onsets of flash or beep, in seconds, in what one of ffmpeg's filters printed. */
function onsets(text, key, high) {
  const found = [];
  let at = 0;
  let was = true;
  for (const line of text.split("\n")) {
    const time = /pts_time:([\d.]+)/.exec(line);
    if (time) at = Number(time[1]);
    const value = new RegExp(`${key}=(-?[\\d.]+|-inf)`).exec(line);
    if (!value) continue;
    const now = value[1] !== "-inf" && Number(value[1]) > high;
    if (now && !was) found.push(at);
    was = now;
  }
  return found;
}

/** Runs a program and waits for its end, while everything else goes on: the players' pages are served by this process too. */
const output = (program, args) => new Promise((resolve) => {
  execFile(program, args, { encoding: "utf8", maxBuffer: 1 << 28 }, (error, stdout, stderr) => resolve({ status: error ? 1 : 0, stdout, stderr }));
});

async function judge({ init, fragments, name }) {
  counts.runs += 1;
  const box = createFile();
  let info;
  box.onReady = (told) => { info = told; };
  box.onError = (error) => faults.push(`mp4box: ${error}`);
  let offset = 0;
  for (const bytes of [init, ...fragments]) {
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    buffer.fileStart = offset;
    offset += buffer.byteLength;
    box.appendBuffer(buffer);
  }
  box.flush();
  if (!info || info.tracks.length !== 2) faults.push(`mp4box reads ${info?.tracks.length} tracks in ${name}`);
  const file = path.join(folder, "run.mp4");
  writeFileSync(file, Buffer.concat([init, ...fragments]));
  const probe = await output("ffprobe", ["-v", "error", "-count_packets", "-show_entries", "stream=codec_name,nb_read_packets", "-of", "csv=p=0", file]);
  if (probe.status !== 0 || probe.stderr || !/h264[\s\S]*aac/.test(probe.stdout)) faults.push(`ffprobe of ${name}: ${probe.stderr || probe.stdout}`);
  const sight = await output("ffmpeg", ["-v", "error", "-copyts", "-i", file, "-map", "0:v", "-vf", "scale=32:18,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-", "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"]);
  const sound = await output("ffmpeg", ["-v", "error", "-copyts", "-i", file, "-map", "0:a", "-af", "asetnsamples=240,astats=metadata=1:reset=1,ametadata=print:key=lavfi.astats.Overall.RMS_level:file=-", "-f", "null", "-"]);
  for (const decoded of [sight, sound]) if (decoded.stderr) faults.push(`ffmpeg of ${name}: ${decoded.stderr.slice(0, 300)}`);
  // A run's first picture is shown when it is decoded. In a file of fragments ffmpeg shows every picture later than it is, by as
  // much as any is decoded late.
  const first = await output("ffprobe", ["-v", "error", "-select_streams", "v", "-read_intervals", "%+#1", "-show_entries", "packet=pts_time,dts_time", "-of", "csv=p=0", file]);
  const [shown, decoded] = first.stdout.split("\n")[0].split(",").map(Number);
  const flashes = onsets(sight.stdout, "YAVG", 180).map((at) => at - (shown - decoded));
  const beeps = onsets(sound.stdout, "RMS_level", -30);
  const apart = flashes.map((flash) => beeps.map((beep) => (beep - flash) * 1000).sort((a, b) => Math.abs(a) - Math.abs(b))[0]).filter((ms) => ms !== undefined && Math.abs(ms) < 400);
  return apart.length > 2 ? median(apart) : undefined;
}

const get = async (name) => {
  const answer = await fetch(`${base}/${name}`);
  assert.equal(answer.status, 200, `${name}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
};
const read = async (name) => {
  const text = new TextDecoder().decode(await get(name));
  counts.playlists += 1;
  const list = HLS.parse(text);
  const parser = new Parser();
  parser.push(text);
  parser.end();
  if (parser.manifest.segments.length === 0 && !list.isMasterPlaylist) faults.push("m3u8-parser finds no segment");
  return list;
};

const runs = [];
async function follow(isOver) {
  const seen = new Set();
  const inits = new Map();
  let list = await read("video.m3u8");
  while (!isOver()) {
    const newest = list.segments.at(-1);
    const growing = !newest.uri;
    const msn = list.mediaSequenceBase + list.segments.length - (growing ? 1 : 0);
    const part = growing ? newest.parts.filter((each) => !each.hint).length : 0;
    list = await read(`video.m3u8?_HLS_msn=${msn}&_HLS_part=${part}`);
    for (const segment of list.segments) {
      for (const each of segment.parts) if (!each.hint && !seen.has(each.uri)) { seen.add(each.uri); counts.parts += 1; counts.bytes += (await get(each.uri)).byteLength; }
      if (!segment.uri || seen.has(segment.uri)) continue;
      seen.add(segment.uri);
      counts.segments += 1;
      if (segment.discontinuity || !run) {
        if (run) runs.push(run);
        const map = segment.map.uri;
        if (!inits.has(map)) inits.set(map, await get(map));
        run = { init: inits.get(map), fragments: [], name: segment.uri, at: Date.now() };
      }
      run.fragments.push(await get(segment.uri));
    }
  }
}

// ---- the evening

const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, "utf8"))[1]);
const memories = [];
const begun = Date.now();
let over = false;
const following = follow(() => over);
following.catch((error) => faults.push(`the follower: ${error.message}`));
let cuts = 1;
const cutsAt = [{ at: begun, to: SOURCES[0] }];
let nextCut = begun + EACH_MS;
while (Date.now() - begun < END_MS && faults.length < 20) {
  if (Date.now() >= nextCut) {
    cutsAt.push({ at: Date.now(), to: SOURCES[cuts % sources.length] });
    await cut(sources[cuts % sources.length]);
    cuts += 1;
    nextCut += EACH_MS;
  }
  memories.push(memory());
  if (runs.length) {
    const done = runs.shift();
    const apart = await judge(done);
    if (apart !== undefined) offsets.push({ minute: (done.at - begun) / 60_000, apart });
    if (counts.runs % 10 === 1) say(`${counts.runs} runs, ${counts.segments} segments, ${Math.round(memories.at(-1) / 1024)} MiB, picture and sound ${apart?.toFixed(1)} ms apart`);
  }
  await sleep(1000);
}
over = true;
await following.catch(() => {});
for (const left of [...runs, run].filter(Boolean)) await judge(left);

const record = { minutes: Number(given.minutes), sources: SOURCES, cuts, ...counts };
const quarter = Math.max(1, Math.floor(memories.length / 4));
record.memory_mib = { first_quarter: Math.round(median(memories.slice(0, quarter)) / 1024), last_quarter: Math.round(median(memories.slice(-quarter)) / 1024), most: Math.round(Math.max(...memories) / 1024) };
if (offsets.length) {
  const values = offsets.map(({ apart }) => apart);
  record.picture_to_sound_ms = { runs: values.length, median: median(values), least: Math.min(...values), most: Math.max(...values) };
  if (Math.max(...values) - Math.min(...values) > 2 * DRIFT_MS_MAX || values.some((ms) => Math.abs(ms - median(values)) > DRIFT_MS_MAX)) faults.push(`picture and sound drift: ${JSON.stringify(record.picture_to_sound_ms)}`);
}
record.players = {};
for (const { name, page } of viewers) {
  const seen = await page.evaluate(() => window.seen);
  const part = Math.max(1, Math.floor(seen.lags.length / 4));
  for (const stall of seen.stalls) {
    const last = cutsAt.findLast((each) => each.at < stall.at - stall.ms) ?? cutsAt[0];
    Object.assign(stall, { after_cut_to: last.to, began_s_after: (stall.at - stall.ms - last.at) / 1000, at: undefined });
  }
  record.players[name] = { longest_standstill_ms: Math.round(seen.longest), standstills: seen.stalls, behind_ms: seen.lags.length ? { first_quarter: Math.round(median(seen.lags.slice(0, part))), last_quarter: Math.round(median(seen.lags.slice(-part))) } : undefined };
  if (seen.longest > STALL_MS_MAX) faults.push(`${name} stood still for ${Math.round(seen.longest)} ms`);
}
record.faults = faults;
console.log(JSON.stringify(record, null, 2));
for (const close of closing.reverse()) await Promise.resolve(close()).catch((error) => say(error.message));
rmSync(folder, { recursive: true, force: true });
process.exit(faults.length ? 1 : 0);
