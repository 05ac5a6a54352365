// The program's files in the hands of programs that others wrote: every playlist and fragment over cuts between two encoders
// of different picture and sound, followed as a low-latency player follows them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import HLS from "hls-parser";
import { Parser } from "m3u8-parser";
import * as MP4Box from "mp4box";
import { Encoder, Server, closeBrowser, cut, owner, rally, sleep, story, until } from "./kit.mjs";

HLS.setOptions({ strictMode: true });

const test = story();
const CUTS = 4;
let server;
let host;
let made;
let base;
const encoders = [];

const get = async (name) => {
  const answer = await fetch(`${base}/${name}`);
  return { status: answer.status, text: () => answer.text(), bytes: async () => new Uint8Array(await answer.arrayBuffer()), caching: answer.headers.get("cache-control"), type: answer.headers.get("content-type") };
};

/** A playlist, read by two parsers that agree on what it lists. */
async function read(name) {
  const answer = await get(name);
  assert.equal(answer.status, 200, name);
  assert.equal(answer.type, "application/vnd.apple.mpegurl");
  const text = await answer.text();
  const list = HLS.parse(text);
  const other = new Parser();
  other.push(text);
  other.end();
  if (list.isMasterPlaylist) return { list, text, caching: answer.caching };
  const names = list.segments.filter((segment) => segment.uri).map((segment) => segment.uri);
  assert.deepEqual(other.manifest.segments.filter((segment) => segment.uri).map((segment) => segment.uri), names);
  assert.equal(other.manifest.mediaSequence, list.mediaSequenceBase);
  assert.equal(other.manifest.targetDuration, list.targetDuration);
  return { list, text, names, caching: answer.caching };
}

/** What mp4box finds in an init segment and the fragments after it. */
function boxes(init, fragments) {
  const file = MP4Box.createFile();
  let info;
  let failed;
  file.onReady = (found) => { info = found; };
  file.onError = (module, message) => { failed = `${module}: ${message}`; };
  let at = 0;
  for (const bytes of [init, ...fragments]) {
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    buffer.fileStart = at;
    at += bytes.byteLength;
    file.appendBuffer(buffer);
  }
  file.flush();
  assert(!failed, failed);
  return { info, file };
}

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  base = `${server.url}${made.href}/program`;
  encoders.push(Encoder.pattern(server.rtmp, made.keys[0], { size: "640x360", rate: 25 }));
  encoders.push(Encoder.pattern(server.rtmp, made.keys[1], { size: "320x180", rate: 30, audio: ["-c:a", "aac", "-ar", "48000", "-ac", "2"] }));
  await cut(host, made, 0);
  await until("the speaker is on", async () => (await (await host.context.request.get(`${server.url}${made.studio}/live.json`)).text()).includes("ON AIR<"));
  await until("the speaker's picture is listed", async () => (await read("video.m3u8")).list.segments.at(-1).discontinuitySequence > 0);
});
after(async () => {
  for (const encoder of encoders) await encoder.kill();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

test("the playlist of playlists names picture with sound, and sound alone", async () => {
  const { list } = await read("index.m3u8");
  assert.deepEqual(list.variants.map((variant) => variant.uri), ["video.m3u8", "sound.m3u8"]);
  assert.match(list.variants[0].codecs, /^avc1\.6400[0-9a-f]{2},mp4a\.40\.2$/);
  assert.equal(list.variants[1].codecs, "mp4a.40.2");
});

test("a player that asks for each next part gets it, and everything it names, through cuts", async () => {
  const seen = new Map();
  const parts = new Map();
  const lengths = new Map();
  let { list } = await read("video.m3u8");
  assert.equal(list.partTargetDuration, 0.35);
  assert.equal(list.lowLatencyCompatibility.canBlockReload, true);
  let discontinuities = 0;
  let cuts = 0;
  let at = Date.now();
  let before = -1;
  const end = Date.now() + 120_000;
  while (cuts < CUTS || discontinuities === before) {
    assert(Date.now() < end, `${cuts} cuts, ${discontinuities} discontinuities`);
    if (cuts < CUTS && discontinuities !== before && Date.now() - at > 2500) {
      cuts += 1;
      before = discontinuities;
      await cut(host, made, cuts % 2);
      at = Date.now();
    }
    const newest = list.segments.at(-1);
    const growing = !newest.uri;
    const msn = list.mediaSequenceBase + list.segments.length - (growing ? 1 : 0);
    const part = growing ? newest.parts.filter((each) => !each.hint).length : 0;
    const answer = await read(`video.m3u8?_HLS_msn=${msn}&_HLS_part=${part}`);
    assert.equal(answer.caching, "public, max-age=12", "what was asked for by its number never changes for the worse");
    const whole = answer.list.segments.some((segment, index) => segment.uri && answer.list.mediaSequenceBase + index >= msn);
    const grown = answer.list.segments.some((segment, index) => answer.list.mediaSequenceBase + index === msn && segment.parts.filter((each) => !each.hint).length > part);
    assert(whole || grown, `asked for ${msn}.${part}:\n${answer.text}`);
    list = answer.list;
    for (const segment of list.segments) {
      for (const each of segment.parts) if (!each.hint && !parts.has(each.uri)) parts.set(each.uri, { bytes: await (await get(each.uri)).bytes(), duration: each.duration });
      if (!segment.uri || seen.has(segment.uri)) continue;
      const body = await get(segment.uri);
      assert.equal(body.caching, "public, max-age=31536000, immutable");
      const bytes = await body.bytes();
      seen.set(segment.uri, { segment, bytes });
      lengths.set(segment.uri, segment.duration);
      if (segment.discontinuity) discontinuities += 1;
      const own = segment.parts.filter((each) => !each.hint);
      if (!own.length) continue;
      const sum = own.reduce((total, each) => total + each.duration, 0);
      assert(Math.abs(sum - segment.duration) < 0.001, `${segment.uri}: parts of ${sum} s in ${segment.duration} s`);
      assert.deepEqual(Buffer.concat(own.map((each) => parts.get(each.uri).bytes)), Buffer.from(bytes), "a segment is its parts");
    }
  }
  assert([...lengths.values()].every((length) => length < 2.5));
  // Each run between two cuts is a file that plays: by mp4box and by ffprobe.
  const runs = [];
  for (const { segment, bytes } of seen.values()) {
    if (!runs.length || segment.discontinuity) runs.push({ map: segment.map?.uri ?? runs.at(-1)?.map, fragments: [] });
    runs.at(-1).fragments.push(bytes);
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), "groundswell-hls-"));
  const sizes = [];
  for (const [index, run] of runs.entries()) {
    const init = await (await get(run.map)).bytes();
    const { info, file } = boxes(init, run.fragments);
    assert.deepEqual(info.tracks.map((track) => track.codec.slice(0, 4)), ["avc1", "mp4a"]);
    const pictures = file.getTrackSamplesInfo(1).length;
    const name = path.join(folder, `${index}.mp4`);
    writeFileSync(name, Buffer.concat([init, ...run.fragments]));
    const probe = spawnSync("ffprobe", ["-v", "error", "-count_packets", "-show_entries", "stream=codec_name,width,nb_read_packets", "-of", "json", name], { encoding: "utf8" });
    assert.equal(probe.stderr, "");
    const { streams } = JSON.parse(probe.stdout);
    assert.deepEqual(streams.map((stream) => stream.codec_name), ["h264", "aac"]);
    sizes.push(streams[0].width);
    // What is listed may begin with the slate's last moment.
    assert(info.isFragmented && pictures > (streams[0].width === 1280 ? 0 : 10), `${pictures} pictures`);
  }
  rmSync(folder, { recursive: true, force: true });
  // The slate stood before the first.
  assert.deepEqual(sizes.filter((size) => size !== 1280).slice(0, 4), [640, 320, 640, 320]);
});

test("a delta update leaves out what the player has", async () => {
  await until("there is something to leave out", async () => (await read("video.m3u8")).list.segments.length > 12, { within: 40_000 });
  const { list } = await read("video.m3u8?_HLS_skip=YES");
  const { list: whole } = await read("video.m3u8");
  assert(list.skip > 0, "nothing was skipped");
  assert.equal(list.mediaSequenceBase <= whole.mediaSequenceBase, true);
  const length = list.segments.reduce((total, segment) => total + (segment.uri ? segment.duration : 0), 0);
  assert(length >= 9 && length <= 12.5, `${length} s are listed`);
});

test("the sound alone plays too, and reports where the picture is", async () => {
  const { list, names } = await read("sound.m3u8");
  assert.equal(list.renditionReports[0].uri, "video.m3u8");
  const init = await (await get(list.segments.find((segment) => segment.map).map.uri)).bytes();
  const { info } = boxes(init, [await (await get(names[0])).bytes()]);
  assert.deepEqual(info.tracks.map((track) => track.codec.slice(0, 4)), ["mp4a"]);
  const { list: video } = await read("video.m3u8");
  assert.equal(video.renditionReports[0].uri, "sound.m3u8");
});

test("what will never come is refused at once", async () => {
  const begun = Date.now();
  for (const [name, status] of [
    ["video.m3u8?_HLS_msn=99999999999999", 400], ["video.m3u8?_HLS_part=1", 400], ["video.m3u8?_HLS_msn=x", 400],
    ["p1.1.m4s", 404], ["s1.m4s", 404], ["a1.m4s", 404], ["i1.mp4", 404], ["other", 404],
  ]) assert.equal((await get(name)).status, status, name);
  assert(Date.now() - begun < 5000, "it was waited for");
});

test("when nothing comes, a request for the next part is told so, and the program goes on after", async () => {
  const { list } = await read("video.m3u8");
  for (const encoder of encoders) await encoder.kill();
  await sleep(500);
  const after_ = (await read("video.m3u8")).list;
  const msn = after_.mediaSequenceBase + after_.segments.filter((segment) => segment.uri).length;
  const none = await get(`video.m3u8?_HLS_msn=${msn}&_HLS_part=9`);
  assert([200, 503].includes(none.status));
  encoders.push(Encoder.pattern(server.rtmp, made.keys[0], { size: "640x360", rate: 25 }));
  await until("it goes on", async () => (await read("video.m3u8")).list.segments.at(-1).discontinuitySequence !== undefined
    && (await read("video.m3u8")).list.mediaSequenceBase + (await read("video.m3u8")).list.segments.length > list.mediaSequenceBase + list.segments.length + 2, { within: 40_000 });
});
