// The run of show in the studio, every source's own picture, and totals that keep step with the picture.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Encoder, Person, REFUSED_FORM, Server, closeBrowser, owner, picture, pledge, rally, sleep, story, totalOf, until } from "./kit.mjs";

const test = story();
let server;
let host;
let made;
let page;
const encoders = [];

const rows = () => page.locator(".runitem").evaluateAll((all) => all.map((row) => [row.querySelector("b").textContent, row.classList.contains("now")]));
const on = async () => (await rows()).filter(([, now]) => now).map(([title]) => title).join();
const states = async () => (await page.locator(".src .pill").allTextContents()).join();
const next = () => page.locator("[data-next]").textContent();

/** An encoder whose cuts wait: a keyframe every so many seconds, and no sound in its sound. */
const slow = (key, seconds) => new Encoder([
  "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-t", "120", "-c:v", "libx264",
  "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", String(25 * seconds), "-keyint_min", String(25 * seconds),
  "-c:a", "aac", "-f", "flv", `${server.rtmp}/${key}`,
]);

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host, { speakers: ["Marisol Vega", "Ama Boateng"] });
  encoders.push(Encoder.clip(server.rtmp, made.keys[0]), slow(made.keys[1], 6));
});
after(async () => {
  for (const encoder of encoders) await encoder.kill();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

test("a run is planned without a script's help, and what is wrong is said beside what was typed", async () => {
  page = await host.open(`${made.studio}/show`);
  const add = async (what, { title = "", minutes = "10", seconds = "0" } = {}) => {
    await page.selectOption("#what-new", what);
    await page.fill("#title-new", title);
    await page.fill("#minutes-new", minutes);
    await page.fill("#seconds-new", seconds);
    await page.click("#more button");
  };
  await host.expecting(REFUSED_FORM, () => add("ask", { title: "Ask", minutes: "0" }));
  assert.match(await page.locator(".notice.bad").textContent(), /from a second/);
  assert.equal(await page.inputValue("#title-new"), "Ask");
  await add(`speaker:${made.ids[0]}`, { minutes: "0", seconds: "4" });
  await add(`speaker:${made.ids[1]}`, { minutes: "7" });
  await add("ask", { title: "Ask: doubled until nine", minutes: "2" });
  await page.locator(".plan-item").nth(2).locator("button[value=up]:not(.sr)").click();
  assert.deepEqual(await page.locator(".plan-head b").allTextContents(), ["Marisol Vega", "Ask: doubled until nine", "Ama Boateng"]);
  host.clean();
});

test("the space key twice goes on, and cuts", async () => {
  page = await host.open(made.studio);
  await page.evaluate(() => { window.sameDocument = true; });
  await until("both are ready", async () => (await states()) === "ready,ready");
  assert.match(await next(), /Start: Marisol Vega/);
  await page.keyboard.press(" ");
  assert.match(await page.locator(".notice").textContent(), /Press space again/);
  await sleep(1200);
  assert.equal(await on(), "", "one stray key changes nothing");
  await page.keyboard.press(" ");
  await until("the first item is on", async () => (await on()) === "Marisol Vega");
  await until("and its picture", async () => (await states()) === "ON AIR,ready");
  host.clean();
});

test("what is left is counted down, and then what is over in red", async () => {
  const pill = page.locator(".runitem.now .runpill");
  await until("it is over", async () => /^0:0\d over$/.test(await pill.textContent()));
  assert.equal(await page.locator(".runitem.now.over").count(), 1);
  const [over, ink] = await pill.evaluate((node) => [getComputedStyle(node).color, getComputedStyle(document.body).color]);
  assert.notEqual(over, ink);
  const before = await pill.textContent();
  await until("the seconds go on", async () => (await pill.textContent()) !== before);
  assert.equal(await page.locator(".runitem.soon").count(), 1, "the next one is warned");
  host.clean();
});

test("an ask leaves the picture; the next speaker's waits for a keyframe, and is told as waiting", async () => {
  await page.click("[data-next]");
  await until("the ask is on", async () => (await on()) === "Ask: doubled until nine");
  assert.equal(await states(), "ON AIR,ready");
  // Clicked with the mouse, the button does not keep the space key for itself.
  assert.equal(await page.evaluate(() => document.activeElement === document.body), true);
  const seen = [];
  await page.exposeFunction("sawStates", (text) => { seen.push(text); });
  await page.evaluate(() => addEventListener("groundswell:frame", () => window.sawStates([...document.querySelectorAll(".src .pill")].map((pill) => pill.textContent).join())));
  await page.click("[data-next]");
  await until("the second picture is on", async () => (await states()) === "ready,ON AIR");
  assert(seen.includes("ON AIR,cutting…"), `the old picture stays on air while the new one is waited for: ${seen.join(" | ")}`);
  await until("the host is told why", async () => /Cuts wait up to 6 s.*Keyframe Interval/.test(await page.locator(".src").nth(1).textContent()));
  await until("and that it is silent", async () => /Silent for \d+ s/.test(await page.locator(".src").nth(1).textContent()));
  assert.match(await next(), /End: Ama Boateng/);
  host.clean();
});

test("undo goes back, and cuts back", async () => {
  assert.match(await page.locator("[data-undo]").textContent(), /back to Ask/);
  await page.click("[data-undo]");
  await until("the ask is on again", async () => (await on()) === "Ask: doubled until nine");
  await until("and the first picture", async () => (await states()) === "ON AIR,ready");
  assert.match(await next(), /Next: Ama Boateng/);
  assert.equal(await page.evaluate(() => window.sameDocument), true, "the studio never reloaded");
  host.clean();
});

test("what the host opened stays open, and the page under the run is still the same", async () => {
  const row = page.locator(".runitem").nth(2);
  await row.locator("summary").click();
  const marked = await page.locator(".src video").first().evaluate((video) => { video.marked = true; return true; });
  // Frames come every second, also without an event.
  let frames = 0;
  await page.exposeFunction("sawFrame", () => { frames += 1; });
  await page.evaluate(() => addEventListener("groundswell:frame", () => window.sawFrame()));
  await until("frames come by themselves", () => frames >= 3);
  assert.equal(await row.locator("details").evaluate((node) => node.open), true);
  assert.equal(await page.locator(".src video").first().evaluate((video) => video.marked), marked, "a picture is not replaced by a frame");
  await page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  await picture(page, "studio-run-phone");
  await page.setViewportSize({ width: 1440, height: 900 });
  await picture(page, "studio-run-desk");
  host.clean();
});

test("a source's own picture plays in its tile", async () => {
  const at = () => page.locator(".src").first().locator("video").evaluate((video) => video.currentTime);
  await page.locator(".src").first().locator(".src-play.on").waitFor({ timeout: 40_000 });
  const from = await at();
  await until("it moves on", async () => (await at()) > from + 1);
  await until("it is small and silent", () => page.locator(".src").first().locator("video").evaluate((video) => video.muted && video.videoHeight > 0));
  await picture(page, "studio-tiles");
  await page.close();
  host.clean();
});

test("a viewer 20 s behind sees the total that the speaker is reading out", async () => {
  const live = await Person.come(server);
  const behind = await Person.come(server);
  // What the player says of the picture on the screen; the player's own word is kept out.
  const screen = (person, lag) => person.context.addInitScript((ms) => {
    window.pictureNow = () => (ms === null ? null : Date.now() - ms);
    Object.defineProperty(window, "groundswellPicture", { get: () => window.pictureNow, set: () => {} });
    window.frames = [];
    window.totals = [];
    addEventListener("groundswell:frame", ({ detail }) => window.frames.push({ at: detail.at_ms, raised: detail.raised_minor, here: detail.here }));
    addEventListener("DOMContentLoaded", () => {
      const amount = () => document.querySelector("[data-part=total] .amount").textContent.trim();
      new MutationObserver(() => window.totals.push({ picture: window.pictureNow(), amount: amount() }))
        .observe(document.querySelector("[data-part=total]").parentElement, { childList: true });
    });
  }, lag);
  await screen(live, null);
  await screen(behind, 20_000);
  const [now, late] = [await live.open(made.href), await behind.open(made.href)];
  const donor = await Person.come(server);
  const giving = await donor.open(`${made.href}/donate`);
  await pledge(giving, { amount: "50" });
  await giving.waitForURL(/\/donate\/[0-9a-f-]+$/);
  await giving.click("form.card-form button");
  await giving.locator("h1:has-text('Thank you')").waitFor();
  assert.equal(await totalOf(giving), "$50", "the donor's own page has it at once");
  await until("whoever has no picture sees it at once", async () => (await totalOf(now)) === "$50");
  const told = await until("the frame is there", () => late.evaluate(() => window.frames.find((frame) => frame.raised === 5000)));
  // Somebody joins: that is shown as it is, and the money still waits.
  await now.fill("#name", "Ruth");
  await now.fill("#email", "ruth@example.org");
  await now.click("form.join button");
  await until("who is here is shown", async () => (await late.locator("[data-part=room] b").textContent()).trim() === "1");
  assert.equal(await totalOf(late), "$0");
  assert.equal(await late.locator("[data-part=feed] li").count(), 0);
  await until("the total comes with the picture", async () => (await totalOf(late)) === "$50", { within: 40_000 });
  assert.equal(await late.locator("[data-part=feed] li").count(), 1);
  const { picture: seen } = await late.evaluate(() => window.totals.find(({ amount }) => amount === "$50"));
  assert(seen >= told.at && seen < told.at + 1000, `the picture was ${seen - told.at} ms past the gift`);
  for (const person of [live, behind, donor, host]) person.clean();
  await Promise.all([live, behind, donor].map((person) => person.context.close()));
});

test("a picture that stands still does not freeze the page, whether it was stopped or has stopped by itself", async () => {
  const viewer = await Person.come(server);
  await viewer.context.addInitScript(() => Object.defineProperty(window, "groundswellPicture", { get: () => () => 1_000, set: () => {} }));
  const stuck = await viewer.open(made.href);
  const stopped = await viewer.open(made.href);
  await stopped.clock.install();
  await stopped.reload();
  await stopped.locator(".video.on").waitFor({ timeout: 40_000 });
  await stopped.locator("[data-player] video").evaluate((video) => video.pause());
  const donor = await Person.come(server);
  const giving = await donor.open(`${made.href}/donate`);
  await pledge(giving, { amount: "25", email: "ama@example.org" });
  await giving.waitForURL(/\/donate\/[0-9a-f-]+$/);
  await giving.click("form.card-form button");
  await until("the total comes all the same", async () => (await totalOf(stuck)) === "$75");
  assert.equal(await totalOf(stopped), "$50", "who stopped the picture sees the total of that picture");
  await stopped.clock.runFor(61_000);
  await until("but not for good", async () => (await totalOf(stopped)) === "$75");
  for (const person of [viewer, donor, host]) person.clean();
  await Promise.all([viewer, donor].map((person) => person.context.close()));
});
