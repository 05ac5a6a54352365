// From an empty folder to a speaker on air: what a host does on the first evening, by hand in a browser.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Encoder, PASSWORD, Person, REFUSED_FORM, Server, closeBrowser, sleep, story, until } from "./kit.mjs";

const test = story();
let server;
let host;
let page;
const keys = [];
const encoders = [];

before(async () => {
  server = await Server.start();
  host = await Person.come(server);
});
after(async () => {
  for (const encoder of encoders) await encoder.kill();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

test("the one-time link makes the first account, once", async () => {
  page = await host.open(server.firstLink);
  await page.fill("#name", "Hana Okafor");
  await page.fill("#email", "hana@vega.example");
  await page.fill("#password", "short");
  await host.expecting(REFUSED_FORM, () => page.click("text=Make the account"));
  assert.match(await page.locator("#password-error").textContent(), /at least 12 characters/);
  assert.equal(await page.inputValue("#name"), "Hana Okafor");
  assert.equal(await page.inputValue("#email"), "hana@vega.example");
  assert.equal(await page.inputValue("#password"), "", "a password is never sent back");

  await page.fill("#password", PASSWORD);
  await page.click("text=Make the account");
  await page.waitForURL("**/host?done=account");
  assert.match(await page.locator(".notice").textContent(), /account is made/);

  const stranger = await Person.come(server, { allow: [/status of 409/] });
  const used = await stranger.open(server.firstLink);
  assert.match(await used.textContent("main"), /used already/);
  assert.equal(await used.locator("input#password").count(), 0);
  await stranger.leave();
  host.clean();
});

test("sign out and in again", async () => {
  await page.click("text=Sign out");
  await page.waitForURL("**/host/sign-in");
  await page.goto(`${server.url}/host`);
  await page.waitForURL("**/host/sign-in**");
  await page.fill("#email", "hana@vega.example");
  await page.fill("#password", "not the password");
  await host.expecting(/status of (401|403|422)/, () => page.click("button.primary"));
  assert.equal(await page.inputValue("#email"), "hana@vega.example");
  assert.equal(await page.locator(".summary[role=alert]").count(), 1);
  await page.fill("#password", PASSWORD);
  await page.click("button.primary");
  await page.waitForURL(/\/host(\?|$)/);
  host.clean();
});

test("a rally is made through the form, which keeps what was typed", async () => {
  await page.click("text=Make a rally");
  await page.fill("#title", "The Long Table: One Night");
  assert.equal(await page.inputValue("#slug"), "the-long-table-one-night", "the address follows the title");
  await page.fill("#description", "Pull up a chair.\n\nOne evening, two speakers.");
  await page.fill("#goal", "a lot");
  await page.fill("#amounts", "15, 25, 50");
  await page.fill("#paid_for_by", "Paid for by Vega for Ohio.");
  await page.fill("#date", "2030-07-25");
  await page.fill("#time", "19:30");
  await page.selectOption("#timezone", "America/Chicago");
  await host.expecting(REFUSED_FORM, () => page.click("button:has-text('Make the rally')"));
  assert.equal(await page.locator("#goal-error").count(), 1);
  for (const [id, value] of Object.entries({
    title: "The Long Table: One Night", slug: "the-long-table-one-night", description: "Pull up a chair.\n\nOne evening, two speakers.", goal: "a lot",
    amounts: "15, 25, 50", paid_for_by: "Paid for by Vega for Ohio.", date: "2030-07-25", time: "19:30", timezone: "America/Chicago",
  })) assert.equal(await page.inputValue(`#${id}`), value, id);
  await page.fill("#goal", "2000");
  await page.click("button:has-text('Make the rally')");
  await page.waitForURL("**/host/r/the-long-table-one-night?done=created");
  host.clean();
});

test("two speakers are added, each with a page on how to go live", async () => {
  for (const [name, role] of [["Marisol Vega", "Candidate for governor"], ["عائشة بنت أحمد 🌊", ""]]) {
    if (!(await page.locator("#name").isVisible())) await page.click("summary:has-text('Add a speaker')");
    await page.fill("#name", name);
    await page.fill("#role", role);
    await page.click("button:text-is('Add')");
    await page.waitForURL("**?done=speaker");
  }
  assert.equal(await page.locator(".src").count(), 2);
  assert.deepEqual(await page.locator(".src .pill").allTextContents(), ["not connected", "not connected"]);
  for (const at of [0, 1]) {
    const going = await host.open(await page.locator(".src a:has-text('How to go live')").nth(at).getAttribute("href"));
    assert.equal(await going.inputValue("#server"), server.rtmp);
    const key = await going.inputValue("#stream_key");
    assert.equal(await going.getAttribute("#stream_key", "type"), "password", "the key is not on show");
    assert.ok(key.length >= 20, `a key that can't be guessed: ${key.length} characters`);
    keys.push(key);
    await going.close();
  }
  assert.notEqual(keys[0], keys[1]);
  host.clean();
});

test("a visitor's poster becomes the stage when the doors open", async () => {
  const visitor = await Person.come(server);
  const poster = await visitor.open("/r/the-long-table-one-night");
  assert.equal(await poster.locator("video").count(), 0);
  assert.equal((await visitor.context.request.get(`${server.url}/r/the-long-table-one-night/program/index.m3u8`)).status(), 404);
  await page.click("summary:has-text('Open the doors')");
  await page.click("text=Open now");
  await page.waitForURL("**?done=opened");
  await poster.locator("video").waitFor({ state: "attached" });
  await visitor.leave();
  host.clean();
});

test("an encoder comes up as ready, and a cut puts it on air, without a reload", async () => {
  await page.evaluate(() => { window.sameDocument = true; });
  encoders.push(Encoder.clip(server.rtmp, keys[0]));
  const state = page.locator(".src").first().locator(".pill");
  await until("the first speaker is ready", async () => (await state.textContent()) === "ready");
  await page.locator(".src").first().locator("button:has-text('Put on program')").click();
  await until("the first speaker is on air", async () => (await state.textContent()) === "ON AIR");
  await until("what comes in is told", async () => /AAC.*Mbit\/s/.test(await page.locator(".src .src-detail").first().textContent()));
  host.clean();
});

test("one key cuts; where the host wants it, the same key twice", async () => {
  encoders.push(Encoder.pattern(server.rtmp, keys[1]));
  const states = () => page.locator(".src .pill").allTextContents();
  await until("the second speaker is ready", async () => (await states())[1] === "ready");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("2");
  await until("the second speaker is on air", async () => (await states()).join() === "ready,ON AIR");
  await page.check("[data-keys-twice]");
  await page.keyboard.press("1");
  assert.match(await page.locator(".notice").textContent(), /Press 1 again/);
  await sleep(1500);
  assert.deepEqual(await states(), ["ready", "ON AIR"], "one stray key changes nothing");
  await page.keyboard.press("1");
  await until("the first speaker is back", async () => (await states()).join() === "ON AIR,ready");
  await page.keyboard.press("0");
  await page.keyboard.press("0");
  await until("nobody is on", async () => (await states()).join() === "ready,ready");
  assert.equal(await page.evaluate(() => window.sameDocument), true, "the studio never reloaded");
  host.clean();
});

test("a speaker who drops is told as dropped", async () => {
  await encoders[1].kill();
  await until("the second speaker has dropped", async () => (await page.locator(".src .pill").allTextContents())[1] === "dropped", { within: 30_000 });
  host.clean();
});
