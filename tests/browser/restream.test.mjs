// The program sent on to another server: added on a page that works without scripts, and seen by that server's audience.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Encoder, Person, REFUSED_FORM, Server, closeBrowser, cut, owner, picture, rally, story, until } from "./kit.mjs";

const test = story();
let here;
let there;
let host;
let other;
let made;
let theirs;
let page;
let encoder;

before(async () => {
  [here, there] = [await Server.start(), await Server.start()];
  [host, other] = [await owner(here), await owner(there)];
  made = await rally(host, { open: false });
  theirs = await rally(other, { speakers: ["The Long Table"] });
  await cut(other, theirs, 0);
});
after(async () => {
  await encoder?.kill();
  for (const person of [host, other]) await person?.context.close();
  await closeBrowser();
  for (const server of [here, there]) await server?.close();
});

test("the studio leads to the page, which is plain while it is empty", async () => {
  page = await host.open(made.studio);
  assert.equal(await page.locator("[data-part=restreams]").isVisible(), false);
  await page.click("text=Restream");
  assert.match(await page.textContent("main"), /goes to nobody else yet/);
  await page.setViewportSize({ width: 390, height: 844 });
  await picture(page, "restream-empty-390");
  host.clean();
});

test("a mistake is said at its field, and what was typed stays", async () => {
  await page.selectOption("#service", "other");
  await page.fill("#server", "https://studio.example/live");
  await page.fill("#key", "abcd-efgh-ijkl-mnop");
  await page.fill("#label", "Our friends in Ohio");
  await host.expecting(REFUSED_FORM, () => page.click("main form button.solid"));
  await page.waitForSelector("#server-error");
  assert.match(await page.textContent("#server-error"), /begins with rtmps:\/\/ or rtmp:\/\//);
  assert.deepEqual(await page.$$eval("#service, #server, #key, #label", (fields) => fields.map((field) => field.value)), ["other", "https://studio.example/live", "", "Our friends in Ohio"]);
  await picture(page, "restream-wrong-390");
  host.clean();
});

test("without scripts a server is added, and waits for the doors", async () => {
  const plain = await Person.come(here, { javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
  await plain.context.addCookies(await host.context.cookies());
  const form = await plain.open(`${made.studio}/restream`);
  await form.selectOption("#service", "other");
  await form.fill("#server", `${there.rtmp}/${theirs.keys[0]}`);
  await form.fill("#label", "Our friends in Ohio");
  await form.click("main form button.solid");
  const text = await form.textContent("[data-part=destinations]");
  assert.match(text, /Our friends in Ohio/);
  assert.match(text, /Begins when you open the doors/);
  assert(text.includes(`key …${theirs.keys[0].slice(-4)}`));
  assert(!(await form.content()).includes(theirs.keys[0]), "the key is on no page");
  const wide = await form.evaluate(() => document.documentElement.scrollWidth);
  assert(wide <= 390, `${wide} px wide`);
  await plain.leave();
});

test("the other audience sees the program once the doors are open", async () => {
  encoder = Encoder.clip(here.rtmp, made.keys[0]);
  await cut(host, made, 0);
  const viewer = await Person.come(there);
  const watching = await viewer.open(theirs.href);
  const height = () => watching.evaluate(() => document.querySelector("video").videoHeight);
  await until("their slate", async () => (await height()) === 720, { within: 40_000 });
  const studio = await host.open(made.studio);
  await studio.click("text=Open the doors");
  await studio.click("text=Open now");
  await until("the page says live by itself", async () => /live\b.*Live there for/s.test(await page.goto(`${here.url}${made.studio}/restream`).then(() => page.textContent("[data-part=destinations]"))), { within: 30_000 });
  await until("the speaker is seen there", async () => (await height()) === 540, { within: 40_000 });
  const at = () => watching.evaluate(() => document.querySelector("video").currentTime);
  const from = await at();
  await until("the picture moves", async () => (await at()) > from + 2);
  await page.setViewportSize({ width: 390, height: 844 });
  await picture(page, "restream-live-390");
  await page.setViewportSize({ width: 1440, height: 900 });
  await picture(page, "restream-live-1440");
  await until("the studio says it too", async () => /Our friends in Ohio live/.test((await studio.textContent("[data-part=restreams]")).replace(/\s+/g, " ")));
  await picture(studio, "restream-studio-1440");
  viewer.clean();
  await viewer.context.close();
});

test("what was opened stays open while the page keeps itself current, and a server is switched off and removed", async () => {
  await page.click("text=Remove");
  await until("a frame has come", async () => /Live there for (1[0-9]|[2-9][0-9]) s|min/.test(await page.textContent("[data-part=destinations]")), { within: 40_000 });
  assert.equal(await page.locator("details.sure-inline").evaluate((details) => details.open), true);
  await page.click("text=Switch off");
  await until("off", async () => /Nothing is sent there/.test(await page.textContent("[data-part=destinations]")));
  await until("their studio sees it go", async () => /dropped/.test(await (await other.open(theirs.studio)).textContent("[data-part=sources]")));
  await page.click("summary:has-text('Remove')");
  await page.click("details button:has-text('Remove')");
  await page.waitForSelector("text=Nothing is sent there any more");
  assert.match(await page.textContent("main"), /goes to nobody else yet/);
  host.clean();
});
