// How long recordings are kept is their host's choice; before the room is full hosts are told, and what was allowed to go makes room.
import assert from "node:assert/strict";
import { readdirSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import { Encoder, Server, closeBrowser, cut, owner, picture, rally, send, story, until } from "./kit.mjs";

const test = story();
const MIB = 1 << 20;
let server;
let host;
let old;
let live;
let encoder;

const html = async (url) => (await host.context.request.get(new URL(url, server.url).href)).text();
const folders = () => readdirSync(path.join(server.folder, "data/recordings"));

before(async () => {
  server = await Server.start({ GROUNDSWELL_RECORDINGS_GIB_MAX: "1" });
  host = await owner(server);
  old = await rally(host, { title: "The First Table", slug: "first-table" });
  encoder = Encoder.pattern(server.rtmp, old.keys[0]);
  await cut(host, old, 0);
  await until("something is recorded", async () => /<ol class="pieces">/.test(await html(`${old.studio}/recording`)), { within: 30_000 });
  await encoder.kill();
  await send(host, old.studio, `${old.studio}/end`, {});
  // The rest of a long evening, which takes up the room but for 30 MiB.
  const [folder] = folders();
  await server.stop();
  const filler = path.join(server.folder, "data/recordings", folder, "filler");
  writeFileSync(filler, "");
  truncateSync(filler, 1024 * MIB - 30 * MIB);
  await server.run();
  live = await rally(host);
  encoder = Encoder.pattern(server.rtmp, live.keys[0]);
  await cut(host, live, 0);
});
after(async () => {
  await encoder?.kill();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

test("that the room runs out is told in the studio and on the page, with how long it lasts", async () => {
  const studio = await host.open(live.studio);
  const warning = studio.locator("[data-part=storage] .notice");
  await until("it says how long", async () => /lasts (about|less than)/.test(await warning.textContent()), { within: 40_000 });
  assert.match(await warning.textContent(), /nearly full.*recording stops and the picture goes on: nothing is deleted/);
  await picture(studio, "keeping-studio-1440");
  await studio.setViewportSize({ width: 390, height: 844 });
  await picture(studio, "keeping-studio-390");
  await studio.close();
  const page = await host.open(`${live.studio}/recording`);
  assert.match(await page.textContent(".storage"), /What is free lasts .* at the present rate/);
  await page.close();
});

test("the host says how long it is kept", async () => {
  const page = await host.open(`${old.studio}/recording`);
  assert.equal(await page.locator("#days").inputValue(), "");
  await page.selectOption("#days", "30");
  await page.locator(".keep button").click();
  await page.locator("text=It will be deleted on").waitFor();
  assert.equal(await page.locator("#days").inputValue(), "30");
  await picture(page, "keeping-1440");
  await page.setViewportSize({ width: 390, height: 844 });
  await picture(page, "keeping-390");
  await page.close();
  const refused = await host.context.request.post(new URL(`${old.studio}/recording/keep`, server.url).href, { form: { csrf: /name="csrf" value="([^"]+)"/.exec(await html(old.studio))[1], days: "0" } });
  assert.equal(refused.status(), 422);
  assert.match(await refused.text(), /1 to 3650 days/);
  assert.equal(folders().length, 2, "nothing is deleted before its time");
});

test("what its host allowed to go makes room for what goes on", async () => {
  await send(host, `${old.studio}/recording`, `${old.studio}/recording/keep`, { days: "30", yields: "yes" });
  await until("the old one is gone", async () => folders().length === 1, { within: 30_000 });
  assert.match(await html(`${old.studio}/recording`), /<h3>Deleted<\/h3>/);
  await until("there is room", async () => !/class="notice bad"/.test(await html(`${live.studio}/recording`)));
  await until("it is recorded on", async () => /<ol class="pieces">/.test(await html(`${live.studio}/recording`)));
});
