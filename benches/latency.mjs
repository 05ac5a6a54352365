// From ingest to screen: how far the picture that a browser shows is behind its arrival at the server, by the program's own
// dates, once the player has settled. Run by `make bench` with the release build; seconds may be given.
import { Encoder, Person, Server, closeBrowser, cut, owner, rally, sleep, until } from "../tests/browser/kit.mjs";

const SECONDS = Number(process.argv[2] ?? 60);
const SETTLE_MS = 15_000;
/** What the design promises. */
const GOAL_MS = 2000;

const server = await Server.start();
const host = await owner(server);
const made = await rally(host);
const encoder = Encoder.pattern(server.rtmp, made.keys[0], { size: "1280x720", rate: 30, seconds: SECONDS + 60 });
await cut(host, made, 0);
const viewer = await Person.come(server);
const page = await viewer.open(made.href);
const look = () => page.evaluate(() => {
  const video = document.querySelector("video");
  return { at: video.currentTime, behind: Date.now() - (window.groundswellPicture() ?? NaN), dropped: video.getVideoPlaybackQuality().droppedVideoFrames };
});
await until("the picture plays", async () => (await look()).at > 1, { within: 60_000 });
await sleep(SETTLE_MS);
const samples = [];
let stalled = 0;
let longest = 0;
let last = await look();
for (const end = Date.now() + SECONDS * 1000; Date.now() < end;) {
  await sleep(250);
  const now = await look();
  if (now.at === last.at) stalled += 250;
  else stalled = 0;
  longest = Math.max(longest, stalled);
  samples.push(now.behind);
  last = now;
}
samples.sort((a, b) => a - b);
const at = (share) => Math.round(samples[Math.min(samples.length - 1, Math.floor(samples.length * share))]);
console.log(`ingest to screen, 720p30 in hls.js, ${SECONDS} s: median ${at(0.5)} ms, 95 % within ${at(0.95)} ms (goal: median ${GOAL_MS} ms; ratio ${(at(0.5) / GOAL_MS).toFixed(2)})`);
console.log(`longest standstill ${longest} ms, dropped frames ${last.dropped}`);
await encoder.kill();
for (const person of [viewer, host]) await person.context.close();
await closeBrowser();
await server.close();
