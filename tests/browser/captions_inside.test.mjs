// Captions inside the picture (CEA-608 in H.264) come out as they went in: announced, decoded by ffmpeg, and shown
// as text in the browser.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import HLS from "hls-parser";
import { Encoder, Person, Server, closeBrowser, cut, owner, picture, rally, send, story, until } from "./kit.mjs";

HLS.setOptions({ strictMode: true });

const test = story();
const RATE = 25;
const SECONDS = 60;
const WORDS = "HELLO OHIO ";
let server;
let host;
let made;
let folder;
const encoders = [];

const run = (program, args) => {
  const done = spawnSync(program, args, { encoding: "utf8", maxBuffer: 64 << 20 });
  assert.equal(done.status, 0, done.stderr);
  return done;
};
const get = (name) => fetch(`${server.url}${made.href}/program/${name}`);

/** Every byte of line 21 has odd parity. */
function odd(byte) {
  let ones = 0;
  for (let bit = 0; bit < 7; bit += 1) ones += (byte >> bit) & 1;
  return ones % 2 ? byte : byte | 0x80;
}

/** The pairs of two rolling rows that say the words, one a picture; the rest is padding. */
function pairs() {
  const control = (one, two) => [[one, two], [one, two]];
  const list = [...control(0x14, 0x25), ...control(0x14, 0x2d), ...control(0x14, 0x70)];
  for (let at = 0; at < WORDS.length; at += 2) list.push([WORDS.charCodeAt(at), WORDS.charCodeAt(at + 1) || 0x20]);
  while (list.length < 2 * RATE) list.push([0, 0]);
  return list.map((pair) => pair.map(odd));
}

/** One unit of supplemental information with a pair, as ATSC A/53 carries it. */
function sei([one, two]) {
  const payload = [0xb5, 0x00, 0x31, 0x47, 0x41, 0x39, 0x34, 0x03, 0xc2, 0xff, 0xfc, one, two, 0xfd, 0x80, 0x80, 0xff];
  return Buffer.from([0, 0, 0, 1, 6, 4, payload.length, ...payload, 0x80]);
}

/** A byte stream of H.264 with a pair before each picture. */
function caption(stream) {
  const all = pairs();
  const starts = [];
  for (let at = stream.indexOf("000001", 0, "hex"); at >= 0; at = stream.indexOf("000001", at + 3, "hex")) starts.push(stream[at - 1] === 0 ? at - 1 : at);
  const out = [];
  let shown = 0;
  starts.forEach((start, index) => {
    const unit = stream.subarray(start, starts[index + 1]);
    const head = unit[2] === 1 ? 3 : 4;
    const kind = unit[head] & 31;
    // A picture's first slice begins with macroblock 0: its number is written as one set bit.
    if ((kind === 1 || kind === 5) && unit[head + 1] & 0x80) {
      out.push(sei(all[shown % all.length]));
      shown += 1;
    }
    out.push(unit);
  });
  assert.equal(shown, RATE * SECONDS);
  return Buffer.concat(out);
}

/** What ffmpeg's decoder of captions reads in a file. */
function read(file) {
  const { stdout } = run("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", `movie=${file}[out0+subcc]`, "-map", "0:s", "-f", "srt", "-"]);
  return stdout;
}

before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "groundswell-inside-"));
  const plain = path.join(folder, "plain.h264");
  const with608 = path.join(folder, "with608.h264");
  run("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", `testsrc2=size=320x180:rate=${RATE}`, "-t", String(SECONDS), "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", String(RATE), "-x264-params", "sliced-threads=0:slices=1", "-bsf:v", "h264_mp4toannexb", "-f", "h264", plain]);
  writeFileSync(with608, caption(readFileSync(plain)));
  const film = path.join(folder, "with608.mp4");
  run("ffmpeg", ["-v", "error", "-framerate", String(RATE), "-i", with608, "-c", "copy", film]);
  assert.match(read(film), /HELLO OHIO/, "the test's own captions are read by ffmpeg");
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  encoders.push(new Encoder(["-re", "-i", film, "-f", "lavfi", "-i", "sine=frequency=330:sample_rate=44100", "-map", "0:v", "-map", "1:a", "-shortest", "-c:v", "copy", "-c:a", "aac", "-f", "flv", `${server.rtmp}/${made.keys[0]}`]));
  encoders.push(Encoder.pattern(server.rtmp, made.keys[1], { size: "320x180" }));
});
after(async () => {
  for (const encoder of encoders) await encoder.kill();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a source without them announces none, one with them does", async () => {
  await cut(host, made, 1);
  await until("the plain source is on", async () => (await get("index.m3u8")).status === 200 && (await (await get("video.m3u8")).text()).includes("#EXTINF"));
  assert(!(await (await get("index.m3u8")).text()).includes("CLOSED-CAPTIONS"));
  await cut(host, made, 0);
  const index = await until("they are announced", async () => {
    const text = await (await get("index.m3u8")).text();
    return text.includes("CLOSED-CAPTIONS") && text;
  });
  const { variants } = HLS.parse(index);
  assert.deepEqual(variants[0].closedCaptions.map(({ instreamId, groupId }) => [instreamId, groupId]), [["CC1", "inside"]]);
});

/** What viewers fetch of the newest feed, when there is enough of it, holds the words. */
async function holds() {
  const list = await until("there is enough of it", async () => {
    const read_ = HLS.parse(await (await get("video.m3u8")).text());
    const from = read_.segments.findLastIndex(({ discontinuity }) => discontinuity);
    const own = read_.segments.slice(from).filter(({ uri }) => uri);
    return own.length >= 4 && own;
  });
  const bodies = [];
  for (const name of [list[0].map.uri, ...list.map(({ uri }) => uri)]) bodies.push(Buffer.from(await (await get(name)).arrayBuffer()));
  const file = path.join(folder, "fetched.mp4");
  writeFileSync(file, Buffer.concat(bodies));
  assert.match(read(file), /HELLO OHIO/);
}

test("what viewers fetch still holds them", holds);

test("the browser shows them as text, once the viewer asks", async () => {
  const viewer = await Person.come(server);
  const page = await viewer.open(made.href);
  await page.locator("[data-captions-button]").waitFor();
  const tracks = () => page.evaluate(() => [...document.querySelector("video").textTracks].filter(({ kind }) => kind === "captions").map(({ mode, cues }) => ({ mode, texts: [...cues ?? []].map(({ text }) => text) })));
  assert((await tracks()).every(({ mode }) => mode !== "showing"));
  await page.click("[data-captions-button]");
  await until("the words are there", async () => {
    const now = await tracks();
    if (now.some(({ mode, texts }) => mode === "showing" && texts.some((text) => text.includes("HELLO OHIO")))) return true;
    throw new Error(JSON.stringify(now));
  });
  await page.waitForTimeout(2500);
  await picture(page, "captions-inside-1440");
  await viewer.leave();
});

test("those of a clip go on too", async () => {
  await cut(host, made, 1);
  const clip = path.join(folder, "clip.mp4");
  run("ffmpeg", ["-v", "error", "-t", "20", "-i", path.join(folder, "with608.mp4"), "-f", "lavfi", "-t", "20", "-i", "sine=frequency=330:sample_rate=44100", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-movflags", "+faststart", clip]);
  const clips = `${made.studio}/clips`;
  const staff = await host.open(clips);
  await staff.fill("#clip-title", "With captions");
  await staff.setInputFiles("#clip-file", clip);
  await staff.click("text=Upload");
  const source = await until("it is listed", async () => /name="source" value="([0-9a-f-]{36})"/.exec(await (await host.context.request.get(server.url + clips)).text())?.[1]);
  const joins = async () => (await (await get("video.m3u8")).text()).split("#EXT-X-DISCONTINUITY\n").length;
  const already = await joins();
  await send(host, made.studio, `${made.studio}/program`, { source });
  await until("it is on", async () => (await joins()) > already);
  await holds();
});
