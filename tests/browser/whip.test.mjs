// A speaker by WHIP whose program shares no code with Chromium: what it sends is on program, decodes, and ends when it says so.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { CLIP, Server, closeBrowser, cut, installed, owner, program, rally, root, story, until } from "./kit.mjs";

const test = story();
const folder = mkdtempSync(path.join(os.tmpdir(), "groundswell-whip-"));
/** Long enough to be seen, and it stops by itself. */
const SECONDS = 15;
let server;
let host;
let made;
const speakers = [];

const speak = (key) => {
  const speaker = program(installed("python3"), [path.join(root, "tests/support/whip_sender.py"), `${server.url}/whip/${key}`, CLIP, String(SECONDS)]);
  speakers.push(speaker);
  return speaker;
};
const studio = async () => (await host.context.request.get(server.url + made.studio)).text();
const fetched = async (name) => {
  const answer = await fetch(`${server.url}${made.href}/program/${name}`);
  assert(answer.ok, `${name}: ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
};

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
});
after(async () => {
  for (const speaker of speakers) await speaker.stop();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a key that nobody has is refused in words", async () => {
  const speaker = speak("not-a-key-of-anybody");
  await until("it is told", () => speaker.gone);
  assert.match(speaker.said, /^4\d\d$/m);
  assert.match(speaker.said, /key/i);
});

test("its picture and its sound are on program, and decode without a word", async () => {
  const speaker = speak(made.keys[0]);
  await until("the studio has it", async () => /WHIP · H\.264 \d+x\d+ · AAC 48 kHz stereo[^<]* · sound/.test(await studio()), { within: 30_000 });
  await cut(host, made, 0);
  let list;
  await until("three segments of it are listed", async () => {
    list = (await fetched("video.m3u8")).toString();
    return list.slice(list.lastIndexOf("#EXT-X-MAP")).split("#EXTINF").length > 3;
  });
  const last = list.slice(list.lastIndexOf("#EXT-X-MAP"));
  const names = [/URI="([^"]+)"/.exec(last)[1], ...last.split("\n").filter((line) => line && !line.startsWith("#"))];
  const file = path.join(folder, "heard.mp4");
  writeFileSync(file, Buffer.concat(await Promise.all(names.map(fetched))));
  assert.equal(execFileSync("ffmpeg", ["-v", "warning", "-xerror", "-i", file, "-f", "null", "-"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }), "");
  const said = execFileSync("ffprobe", ["-v", "error", "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames", "-of", "csv=p=0", file], { encoding: "utf8" });
  const [pictures, sounds] = said.trim().split("\n").map((line) => Number(line.split(",")[1]));
  assert(pictures > 40 && sounds > 120, said);
  await until("it stops by itself", () => speaker.gone, { within: 30_000 });
  assert.match(speaker.said, /^stopped 200$/m);
  await until("and is off at once", async () => !/WHIP · H\.264/.test(await studio()), { within: 3_000 });
});
