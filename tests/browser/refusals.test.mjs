// What a host sees when somebody's encoder is turned away: the reason, on the open studio page.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Encoder, Server, closeBrowser, owner, rally, story, until } from "./kit.mjs";

const test = story();
let server;
let host;
let made;
let studio;
const encoders = [];
const send = (encoder) => { encoders.push(encoder); return encoder; };
const refusals = () => studio.locator("[data-part=refusals]").textContent();

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  studio = await host.open(made.studio);
  await studio.evaluate(() => { window.sameDocument = true; });
});
after(async () => {
  for (const encoder of encoders) await encoder.kill();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

test("a key that nobody has", async () => {
  assert.match(await refusals(), /Nothing was turned away/);
  const encoder = send(Encoder.pattern(server.rtmp, "not-a-key-of-anybody", { seconds: 20 }));
  assert.notEqual(await encoder.fails(), 0);
  await until("the studio tells of it", async () => /key/i.test(await refusals()) && !/Nothing was/.test(await refusals()));
  assert.doesNotMatch(await refusals(), /not-a-key-of-anybody/, "what was tried as a key is not on show");
  host.clean();
});

test("sound that is not AAC", async () => {
  const encoder = send(Encoder.pattern(server.rtmp, made.keys[1], { seconds: 20, audio: ["-c:a", "mp3"] }));
  assert.notEqual(await encoder.fails(), 0);
  await until("the studio says that the sound has to be AAC", async () => /Ama Boateng/.test(await refusals()) && /AAC/.test(await refusals()));
  assert.equal((await studio.locator(".src .pill").nth(1).textContent()).trim(), "refused");
  host.clean();
});

test("a second encoder with the same key", async () => {
  send(Encoder.clip(server.rtmp, made.keys[0]));
  const state = studio.locator(".src .pill").first();
  await until("the first one is ready", async () => (await state.textContent()) === "ready");
  const second = send(Encoder.pattern(server.rtmp, made.keys[0], { seconds: 20 }));
  assert.notEqual(await second.fails(), 0);
  await until("the studio tells of the second", async () => /Marisol Vega/.test(await refusals()));
  assert.equal(encoders.at(-2).gone, false, "the first one goes on");
  host.clean();
});

test("all of it without a reload, and the same after one", async () => {
  assert.equal(await studio.evaluate(() => window.sameDocument), true);
  assert.equal(await studio.locator("[data-part=refusals] li").count(), 3);
  await studio.reload();
  assert.equal(await studio.locator("[data-part=refusals] li").count(), 3);
  host.clean();
});
