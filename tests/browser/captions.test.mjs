// Captions: a captioner's program posts while a real encoder sends; the words are on the viewer's picture, in what players of
// others read, and in the replay at the right time.
import assert from "node:assert/strict";
import { appendFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import HLS from "hls-parser";
import { Parser } from "m3u8-parser";
import { Encoder, Person, Server, closeBrowser, cut, owner, picture, rally, send, sleep, story, until } from "./kit.mjs";

HLS.setOptions({ strictMode: true });

const test = story();
let server;
let host;
let made;
let address;
let viewer;
let page;
let seq = 0;
const said = new Map();
const encoders = [];

const post = (text, { number, lang = "en-US", to = address, body = text, method = "POST" } = {}) =>
  fetch(`${to}&seq=${number ?? (seq += 1)}&lang=${lang}`, { method, body, headers: { "content-type": "text/plain; charset=utf-8" } });
/** Posts as a captioner's program does, and notes when. */
const say = async (text, options) => {
  said.set(text, Date.now());
  const answer = await post(text, options);
  assert.equal(answer.status, 200, await answer.text());
};
const addressOf = async () => {
  const html = await (await host.context.request.get(new URL(made.studio, server.url).href)).text();
  return /id="copy-captions"[^>]* value="([^"]+)"/.exec(html)[1].replaceAll("&amp;", "&").replaceAll("&#38;", "&");
};
const rows = (from = page) => from.locator("[data-captions] p").allTextContents();
const get = (name, options) => fetch(`${server.url}${made.href}/program/${name}`, options);

/** The cues of a WebVTT text, in seconds. */
function cues(text) {
  assert.match(text, /^WEBVTT\n/);
  const seconds = (time) => time.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return [...text.matchAll(/\n\n(\S+) --> (\S+)\n([^]*?)(?=\n\n|\n*$)/g)].map(([, from, until_, words]) => ({ from: seconds(from), until: seconds(until_), words }));
}

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host, { open: false });
  address = await addressOf();
});
after(async () => {
  for (const encoder of encoders) await encoder.kill();
  for (const person of [viewer, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
});

test("the interface answers as captioners' programs expect", async () => {
  const plain = async (answer, status, words) => {
    const text = await answer.text();
    assert.equal(answer.status, status, text);
    if (words) assert.match(text, words);
    return text;
  };
  const seqAddress = address.replace("/closedcaption?", "/closedcaption/seq?");
  assert.match(address, /\/closedcaption\?id=[0-9a-f]{32}&ns=[a-z2-9]{26}$/);
  await plain(await fetch(seqAddress), 200, /^0$/);
  // Practice: the doors are closed, and staff try.
  await plain(await post("Testing, testing."), 200);
  await plain(await fetch(seqAddress), 200, /^1$/);
  await plain(await post("", { number: "x" }), 400, /seq is no whole number/);
  await plain(await post("", { number: -1 }), 400, /seq/);
  await plain(await post("", { number: 99, lang: "no!" }), 400, /lang/);
  await plain(await post("", { number: 99, body: new Uint8Array([0xff, 0xfe, 0xff]) }), 400, /UTF-8/);
  await plain(await post("", { number: 99, body: "a".repeat(4000) }), 413);
  await plain(await fetch(address, { method: "POST", body: "no number" }), 403, /seq is missing/);
  await plain(await post("", { number: 99, to: `${address}x` }), 403, /wrong/);
  await plain(await post("", { number: 99, to: address.replace(/id=[0-9a-f]+/, "id=00000000000000000000000000000000") }), 403, /wrong/);
  await plain(await post("", { number: 99, to: address.replace(/id=[0-9a-f]+/, "id=..") }), 403, /wrong/);
  await plain(await fetch(`${seqAddress}x`), 403);
  for (const method of ["PUT", "DELETE", "PATCH"]) await plain(await post("x", { number: 99, method }), 405);
  await plain(await fetch(address), 405);
  await plain(await fetch(seqAddress, { method: "POST" }), 405);
  await plain(await fetch(seqAddress), 200, /^1$/);
  // A program on a page of another site may send too; a form of one may not do what staff do.
  await plain(await fetch(`${address}&seq=2`, { method: "POST", body: "From afar.", headers: { origin: "https://captions.example", "sec-fetch-site": "cross-site" } }), 200);
  seq = 2;
});

test("practice is seen by staff alone", async () => {
  const studio = await host.open(made.studio);
  await until("the studio shows the last caption", async () => (await studio.locator(".captions-panel blockquote").textContent()) === "From afar.");
  await studio.close();
  encoders.push(Encoder.pattern(server.rtmp, made.keys[0], { size: "640x360", rate: 25 }));
  await cut(host, made, 0);
  await send(host, made.studio, `${made.studio}/open`, {});
  await until("the program begins", async () => (await get("video.m3u8")).status === 200);
  const index = await (await get("index.m3u8")).text();
  assert(!index.includes("SUBTITLES"), index);
  assert.equal((await get("captions/en-US/index.m3u8")).status, 404);
});

test("the words are on the viewer's picture, two rows, and go when they are read", async () => {
  viewer = await Person.come(server);
  page = await viewer.open(made.href);
  await until("the picture plays", () => page.evaluate(() => document.querySelector("video").currentTime > 0.5), { within: 30_000 });
  assert(await page.locator("[data-captions-button]").isHidden(), "nothing is offered before there is anything");
  await say("Good evening, Ohio.");
  await page.locator("[data-captions-button]").waitFor();
  assert.deepEqual(await rows(), [], "who has not asked sees none");
  await page.click("[data-captions-button]");
  await say("My name is <b>Marisol</b> & I am running.");
  await until("the words are there", async () => (await rows()).at(-1) === "My name is <b>Marisol</b> & I am running.");
  const late = Date.now() - said.get("My name is <b>Marisol</b> & I am running.");
  assert(late < 3000, `${late} ms`);
  await say("For the Senate.");
  await until("the row before moves up", async () => (await rows()).join("|") === "My name is <b>Marisol</b> & I am running.|For the Senate.");
  await picture(page, "captions-1440");
  await page.setViewportSize({ width: 390, height: 844 });
  await picture(page, "captions-390");
  await page.setViewportSize({ width: 1440, height: 900 });
  await until("they go", async () => !(await rows()).length, { within: 10_000 });
  // A repetition is shown once.
  assert.equal((await post("For the Senate.", { number: seq })).status, 200);
  await say("Thank you.");
  await until("the next one is there", async () => (await rows()).length);
  assert.deepEqual(await rows(), ["Thank you."]);
});

test("languages are chosen, right to left too, and the choice is kept", async () => {
  await say("شكرا لكم جميعا", { lang: "ar" });
  await page.locator("[data-captions-language]").waitFor();
  await page.selectOption("[data-captions-language]", "ar");
  await say("مرحبا يا أوهايو", { lang: "ar" });
  await until("the words are there", async () => (await rows()).at(-1) === "مرحبا يا أوهايو");
  assert.equal(await page.locator("[data-captions] p").last().evaluate((row) => getComputedStyle(row).direction), "rtl");
  await page.reload();
  await until("the choice is kept", async () => (await page.locator("[data-captions-language]").inputValue()) === "ar");
  await page.selectOption("[data-captions-language]", "en-US");
});

test("players of others read them as WebVTT, segment by segment", async () => {
  await sleep(5000);
  const index = await (await get("index.m3u8")).text();
  const { variants } = HLS.parse(index);
  const [first] = variants;
  assert.deepEqual(first.subtitles.map(({ language, uri, name }) => [language, uri, name]), [["en-US", "captions/en-US/index.m3u8", "English (US)"], ["ar", "captions/ar/index.m3u8", "العربية"]]);
  const other = new Parser();
  other.push(index);
  other.end();
  assert.deepEqual(Object.keys(other.manifest.mediaGroups.SUBTITLES.captions), ["English (US)", "العربية"]);
  const video = HLS.parse(await (await get("video.m3u8")).text());
  const answer = await get(`captions/en-US/index.m3u8?_HLS_msn=${video.mediaSequenceBase + video.segments.filter(({ uri }) => uri).length}`);
  assert.deepEqual([answer.status, answer.headers.get("content-type"), answer.headers.get("cache-control")], [200, "application/vnd.apple.mpegurl", "public, max-age=12"]);
  const list = HLS.parse(await answer.text());
  // The same segments as the picture's.
  const dates = new Map(video.segments.map((segment, at) => [video.mediaSequenceBase + at, segment]));
  let compared = 0;
  for (const [at, segment] of list.segments.entries()) {
    const twin = dates.get(list.mediaSequenceBase + at);
    if (!twin?.uri) continue;
    compared += 1;
    assert.deepEqual([segment.duration, segment.programDateTime, segment.discontinuity], [twin.duration, twin.programDateTime, twin.discontinuity]);
    assert.equal(segment.discontinuitySequence, twin.discontinuitySequence);
  }
  assert(compared > 3);
  const found = [];
  for (const segment of list.segments) {
    const body = await get(`captions/en-US/${segment.uri}`);
    assert.deepEqual([body.status, body.headers.get("content-type"), body.headers.get("cache-control")], [200, "text/vtt; charset=utf-8", "public, max-age=31536000, immutable"]);
    const text = await body.text();
    assert.match(text, /^WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:1,LOCAL:00:00:00.000\n/);
    for (const cue of cues(text)) found.push({ ...cue, segment });
  }
  const thanks = found.find(({ words }) => words === "Thank you.");
  assert(thanks, JSON.stringify(found.map(({ words }) => words)));
  // The clock of its cue is the picture's: where the segment's first fragment is decoded.
  const bytes = new DataView(await (await get(`s${thanks.segment.uri.replace(".vtt", ".m4s")}`)).arrayBuffer());
  const text = new TextDecoder("latin1").decode(bytes);
  const begins = Number(bytes.getBigUint64(text.indexOf("tfdt") + 8)) / 90_000;
  const at = (said.get("Thank you.") - thanks.segment.programDateTime.getTime()) / 1000;
  assert(Math.abs(thanks.from - begins - at) < 0.3, `${thanks.from} − ${begins} ≠ ${at}`);
  const escaped = found.find(({ words }) => words.includes("Marisol"));
  if (escaped) assert(escaped.words.includes("&lt;b&gt;Marisol&lt;/b&gt; &amp; I"), escaped.words);
});

test("OBS has an overlay of them", async () => {
  const overlay = await viewer.open(`${made.href}/overlay/captions?lang=en`);
  await say("Tonight we begin.");
  await until("the words are there", async () => (await rows(overlay)).at(-1) === "Tonight we begin.");
  await overlay.close();
});

test("a captioner whose program counts again is told apart, and a new address begins anew", async () => {
  assert.equal((await post("Lost words", { number: 1 })).status, 200);
  const studio = await host.open(made.studio);
  await until("the studio says so", async () => (await studio.locator(".captions-panel .notice").textContent()).includes("number 1"));
  await picture(studio, "captions-studio-1440");
  await studio.setViewportSize({ width: 390, height: 844 });
  await picture(studio, "captions-studio-390");
  await studio.close();
  const old = address;
  await send(host, made.studio, `${made.studio}/captions/address`, {});
  address = await addressOf();
  assert.notEqual(address, old);
  assert.equal((await post("x", { to: old, number: 999 })).status, 403);
  seq = 0;
  await say("With a new address.");
  await until("the words are there", async () => (await rows()).at(-1) === "With a new address.");
  assert(!server.child.said.includes(new URL(address).searchParams.get("ns")), "the secret is in no log line");
});

test("it outlives a crash", async () => {
  encoders.push(Encoder.pattern(server.rtmp, made.keys[1], { size: "320x180", rate: 30, audio: ["-c:a", "aac", "-ar", "48000"] }));
  await cut(host, made, 1);
  await until("the second speaker is recorded", async () => (await (await fetch(`${server.url}${made.href}/replay.json`)).json()).chapters.length > 1);
  await sleep(4000);
  await say("I am Ama.");
  await sleep(4000);
  viewer.outage = true;
  await server.stop("SIGKILL");
  const folder = path.join(server.folder, "data/recordings");
  appendFileSync(path.join(folder, readdirSync(folder)[0], "captions"), '{"at_ms":1,"seq":9,"lang');
  await server.run();
  const answer = await fetch(address.replace("/closedcaption?", "/closedcaption/seq?"));
  assert.equal(await answer.text(), String(seq));
  for (const encoder of encoders) await encoder.kill();
  encoders.push(Encoder.pattern(server.rtmp, made.keys[1], { size: "320x180", rate: 30, audio: ["-c:a", "aac", "-ar", "48000"] }));
  await until("the program goes on", async () => (await get("video.m3u8")).status === 200, { within: 30_000 });
  await sleep(8000);
  await say("We are back.");
  await sleep(5000);
  viewer.outage = false;
});

test("in the replay they are at the right time, and the transcript is by speaker", async () => {
  await send(host, made.studio, `${made.studio}/end`, {});
  assert.equal((await post("too late")).status, 403);
  for (const encoder of encoders) await encoder.kill();
  await sleep(1500);
  const whole = HLS.parse(await (await get("whole.m3u8")).text());
  assert.deepEqual(whole.variants[0].subtitles.map(({ uri }) => uri), ["captions/en-US/replay.m3u8", "captions/ar/replay.m3u8"]);
  const list = HLS.parse(await (await get("captions/en-US/replay.m3u8")).text());
  const pictures = HLS.parse(await (await get("replay.m3u8")).text());
  assert.deepEqual(list.segments.map(({ duration, discontinuity }) => [duration, discontinuity]), pictures.segments.map(({ duration, discontinuity }) => [duration, discontinuity]));
  assert(list.endlist && list.segments.some(({ discontinuity }) => discontinuity));
  await page.goto(new URL(made.href, server.url).href);
  await page.locator("[data-transcript-lines] p").first().waitFor();
  const names = await page.locator("[data-transcript-lines] h3").allTextContents();
  assert(names.includes("Marisol Vega") && names.includes("Ama Boateng"), names.join());
  assert(!(await page.locator("[data-transcript-lines]").textContent()).includes("Testing"), "practice is in no transcript");
  // Each of these is shown by the player while the picture of that moment is: before the cut, after it, and after the restart.
  for (const words of ["Thank you.", "I am Ama.", "We are back."]) {
    const line = page.locator("[data-transcript-lines] p", { hasText: words });
    await line.locator("button").click();
    const seen = await until(`“${words}” is shown`, () => page.evaluate((wanted) => {
      const video = document.querySelector("video");
      const track = [...video.textTracks].find(({ mode, language }) => mode === "showing" && language.startsWith("en"));
      const cue = [...track?.activeCues ?? []].find(({ text }) => text.includes(wanted));
      const all = [...track?.cues ?? []].map(({ startTime, text }) => `${startTime.toFixed(1)} ${text}`);
      if (!cue) throw new Error(`at ${video.currentTime} of ${video.duration}, ready ${video.readyState}, with ${all.join("; ")}`);
      return { from: cue.startTime, now: video.currentTime };
    }, words), { within: 30_000 });
    const marks = pictures.segments;
    let position = 0;
    let expected;
    for (const segment of marks) {
      const date = segment.programDateTime.getTime();
      const into = (said.get(words) - date) / 1000;
      if (into >= 0 && into < segment.duration) expected = position + into;
      position += segment.duration;
    }
    assert(expected !== undefined && Math.abs(seen.from - expected) < 2.2, `${words}: ${JSON.stringify(seen)}, expected ${expected}`);
  }
  await picture(page, "transcript-1440");
  await page.setViewportSize({ width: 390, height: 844 });
  await picture(page, "transcript-390");
  viewer.clean();
});

test("the host takes the transcript home", async () => {
  const html = await (await host.context.request.get(new URL(`${made.studio}/recording`, server.url).href)).text();
  assert(html.includes(`${made.href}/transcript.txt?lang=en-US`) && html.includes(`${made.href}/transcript.vtt?lang=en-US`));
  const text = await (await fetch(`${server.url}${made.href}/transcript.txt`)).text();
  assert.match(text, /The Long Table\n\nMarisol Vega\n\[0:0\d\] Good evening, Ohio\.\n/);
  assert.match(text, /\nAma Boateng\n(?:\[\d+:\d\d\] .*\n)*\[\d+:\d\d\] I am Ama\.\n/);
  const vtt = cues(await (await fetch(`${server.url}${made.href}/transcript.vtt?lang=en-US`)).text());
  assert(vtt.some(({ words }) => words.endsWith("I am Ama.")) && vtt.every(({ from, until: end }) => end > from));
});

test("they go with the recording", async () => {
  await send(host, `${made.studio}/recording`, `${made.studio}/recording/delete`, {});
  const gone = ["transcript.txt", "transcript.json", "program/whole.m3u8", "program/captions/en-US/replay.m3u8"];
  for (const name of gone) await until(`${name} is gone`, async () => (await fetch(`${server.url}${made.href}/${name}`)).status === 404);
  const folder = path.join(server.folder, "data/recordings");
  await until("the folder is empty", () => !readdirSync(folder).length);
});
