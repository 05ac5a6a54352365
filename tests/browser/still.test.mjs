// The slate and clips as a viewer sees them: a host uploads a clip, and a program of all kinds plays through without a stall.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { Encoder, Person, Server, closeBrowser, cut, owner, picture, rally, send, story, until } from "./kit.mjs";

const test = story();
const STALL_MS_MAX = 2_000;
let server;
let host;
let made;
let viewer;
let page;
let folder;
const encoders = [];

const height = () => page.evaluate(() => document.querySelector("video").videoHeight);
const shows = (what, wanted) => until(what, async () => await height() === wanted, { within: 40_000 });

// Watched in the page itself, since a busy machine delays whoever asks from outside.
const watch = () => page.evaluate(() => {
  const video = document.querySelector("video");
  window.stall = { at: video.currentTime, since: performance.now(), longest: 0, where: 0 };
  setInterval(() => {
    const now = performance.now();
    const { stall } = window;
    if (video.currentTime !== stall.at) Object.assign(stall, { at: video.currentTime, since: now });
    else if (now - stall.since > stall.longest) Object.assign(stall, { longest: now - stall.since, where: video.currentTime });
  }, 50);
});

async function upload(title, file) {
  const staff = await host.open(`${made.studio}/clips`);
  await staff.fill("#clip-title", title);
  await staff.setInputFiles("#clip-file", file);
  await staff.click("text=Upload");
  return staff;
}

before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "groundswell-clips-"));
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
  rmSync(folder, { recursive: true, force: true });
});

test("a host uploads a clip, and is told what is wrong with another file", async () => {
  const file = path.join(folder, "our-year.mp4");
  execFileSync("ffmpeg", ["-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=426x240:rate=30", "-f", "lavfi", "-i", "sine=r=44100", "-t", "6",
    "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "60", "-pix_fmt", "yuv420p", "-c:a", "aac", file]);
  const listed = await upload("Our year in six seconds", file);
  await listed.getByText("Our year in six seconds").first().waitFor();
  await listed.getByText("0:06").waitFor();
  await picture(listed, "clips-desktop");
  const phone = await host.open(`${made.studio}/clips`);
  await phone.setViewportSize({ width: 390, height: 844 });
  await picture(phone, "clips-phone");
  const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
  assert(wide <= 390, `the page is ${wide} px wide on a phone`);
  await phone.close();
  const wrong = path.join(folder, "wrong.mp4");
  writeFileSync(wrong, "%PDF-1.7 not a film");
  await host.expecting(/status of 422/, async () => {
    const refused = await upload("x", wrong);
    await refused.getByText("this is not an MP4 file").waitFor();
    await refused.close();
  });
  host.clean();
});

test("slate, speaker, a drop, the speaker again, a clip, the slate: no stall", async () => {
  page = await viewer.open(made.href);
  await shows("the slate before anybody", 720);
  await until("it plays", () => page.evaluate(() => document.querySelector("video").currentTime > 0 && !document.querySelector("video").paused));
  await picture(page, "slate-countdown");
  await watch();
  encoders.push(Encoder.pattern(server.rtmp, made.keys[0], { size: "640x360", rate: 25 }));
  await cut(host, made, 0);
  await shows("the speaker", 360);
  await encoders[0].kill();
  await shows("the slate after the drop", 720);
  encoders.push(Encoder.pattern(server.rtmp, made.keys[0], { size: "640x360", rate: 25 }));
  await shows("the speaker again", 360);
  const html = await (await host.context.request.get(server.url + made.studio + "/clips")).text();
  const [, source] = /name="source" value="([0-9a-f-]{36})"/.exec(html);
  await send(host, made.studio, `${made.studio}/program`, { source });
  await shows("the clip", 240);
  await shows("the slate after the clip", 720);
  await picture(page, "slate-moment");
  const { longest, where } = await page.evaluate(() => window.stall);
  console.log(`the longest stall was ${Math.round(longest)} ms, at ${where.toFixed(1)} s`);
  assert(longest < STALL_MS_MAX, `the picture stood still for ${Math.round(longest)} ms at ${where}`);
  viewer.clean();
});
