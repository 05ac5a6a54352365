// Who is in the room: a person counts once, however many pages they have open, and again when they come back.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Person, REFUSED_FORM, Server, closeBrowser, owner, rally, sleep, story, until } from "./kit.mjs";

const test = story();
// A person who left is counted as gone after this grace, so that a reload is not a departure (see src/live/presence.rs).
const GRACE_MS = 12_000;
let server;
let host;
let made;
let studio;
let watcher;
let watching;
let visitor;
let page;

const here = async () => Number((await watching.locator("[data-part=room] b").textContent()).trim());
const joined = async () => Number(/(\d+) joined/.exec(await studio.locator("[data-part=kpis]").textContent())[1]);

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  studio = await host.open(made.studio);
  watcher = await Person.come(server);
  watching = await watcher.open(made.href);
  visitor = await Person.come(server);
});
after(async () => {
  for (const person of [visitor, watcher, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
});

test("a visitor joins and is counted", async () => {
  assert.equal(await here(), 0, "who only looks is not counted");
  page = await visitor.open(made.href);
  await page.fill("#name", "李小龙 🥋");
  await page.fill("#email", "not an address");
  // The browser's own check of the form would stop it: what the server says is looked at.
  await page.locator("form.join").evaluate((form) => { form.noValidate = true; });
  await visitor.expecting(REFUSED_FORM, () => page.click("form.join button"));
  assert.equal(await page.inputValue("#name"), "李小龙 🥋");
  assert.equal(await page.locator("#email-error").count(), 1);
  await page.fill("#email", "xiaolong@example.org");
  await page.click("form.join button");
  await page.locator(".joined").waitFor();
  assert.match(await page.locator(".joined").textContent(), /You’re in, 李小龙 🥋/);
  await until("one is here", async () => (await here()) === 1);
  await until("one has joined", async () => (await joined()) === 1);
});

test("a second page of the same person does not count twice", async () => {
  const second = await visitor.open(made.href);
  await second.locator(".joined").waitFor();
  // Somebody else joins meanwhile, so that a count of the second page would have had to show.
  const other = await Person.come(server);
  const theirs = await other.open(made.href);
  await theirs.fill("#name", "Ruth");
  await theirs.fill("#email", "ruth@example.org");
  await theirs.click("form.join button");
  await until("two are here", async () => (await here()) === 2);
  assert.equal(await joined(), 2);
  await other.leave();
  await second.close();
  await until("one is here when the other has gone", async () => (await here()) === 1, { within: GRACE_MS + 15_000 });
  assert.equal(await joined(), 2, "who has gone has joined all the same");
});

test("who leaves is gone after a moment, and who returns is not counted again", async () => {
  await page.reload();
  await page.locator(".joined").waitFor();
  await sleep(500);
  assert.equal(await here(), 1, "a reload is not a departure");
  const left = Date.now();
  await page.goto("about:blank");
  await until("nobody is here", async () => (await here()) === 0, { within: GRACE_MS + 15_000 });
  assert.ok(Date.now() - left > GRACE_MS - 3_000, "the grace was kept");
  await page.goto(server.url + made.href);
  await until("one is here again", async () => (await here()) === 1);
  assert.equal(await joined(), 2);
  for (const person of [visitor, watcher, host]) person.clean();
});
