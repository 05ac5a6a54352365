// Giving without leaving the picture: in a frame of the rally's page, on the campaign's own site, and by the square code.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before } from "node:test";
import { Encoder, Person, REFUSED_FORM, Server, closeBrowser, cut, freePort, owner, picture, pledge, rally, send, story, totalOf, until } from "./kit.mjs";

const test = story();
const WIDTHS = { phone: { width: 390, height: 844 }, desk: { width: 1440, height: 900 } };
let server;
let host;
let made;
let encoder;
let site;
let siteUrl;
let stranger;
let strangerUrl;

/** A page of another site, which shows the form in a frame as the share page says. */
async function otherSite(snippet) {
  const port = await freePort();
  const listening = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(`<!doctype html><html lang="en"><title>Rivera for Senate</title><h1>Rivera for Senate</h1>${snippet()}</html>`);
  }).listen(port, "127.0.0.1");
  await new Promise((done) => listening.once("listening", done));
  return [listening, `http://127.0.0.1:${port}`];
}

before(async () => {
  let snippet = "";
  [site, siteUrl] = await otherSite(() => snippet);
  [stranger, strangerUrl] = await otherSite(() => snippet);
  server = await Server.start({}, `embed = ["${siteUrl}"]\n`);
  host = await owner(server);
  made = await rally(host);
  const page = await host.open(`${made.studio}/share?refcode=front-page`);
  snippet = await page.inputValue("#snippet");
  await page.close();
  encoder = Encoder.clip(server.rtmp, made.keys[0]);
  await cut(host, made, 0);
});
after(async () => {
  await encoder?.kill();
  await host?.context.close();
  await closeBrowser();
  site?.close();
  stranger?.close();
  await server?.close();
});

const frameOf = (page) => page.frameLocator(".give-panel iframe");
const playing = (page) => page.evaluate(() => {
  const video = document.querySelector("video");
  return { at: video.currentTime, same: window.sameDocument };
});

for (const [name, viewport] of Object.entries(WIDTHS)) {
  test(`the form opens beside the picture, which plays on to the thanks (${name})`, async () => {
    const donor = await Person.come(server, { viewport });
    const page = await donor.open(made.href);
    await page.locator(".video.on").waitFor({ timeout: 30_000 });
    await page.evaluate(() => { window.sameDocument = true; });
    const before = Number((await totalOf(page)).replace(/\D/g, ""));
    if (name === "phone") await page.click(".dock .primary");
    else {
      await page.locator("form.give input[name=amount][value='50']").check({ force: true });
      await page.click("form.give [data-donate-button]");
    }
    const form = frameOf(page);
    await form.locator("#first_name").waitFor();
    const video = await page.locator(".video").boundingBox();
    const panel = await page.locator(".give-panel").boundingBox();
    const apart = name === "phone" ? panel.y >= video.y + video.height - 1 : panel.x >= video.x + video.width - 1;
    assert(apart, `the form covers the picture: ${JSON.stringify({ video, panel })}`);
    assert.equal(await form.locator("header.top").isVisible(), false, "one header is enough");
    await picture(page, `beside-form-${name}`);

    // Closing keeps what was typed, and the keyboard goes back to where it was.
    await form.locator("#first_name").fill("Ruth");
    await form.locator("#first_name").press("Escape");
    await until("the form is closed", async () => !(await page.locator(".give-panel").isVisible()));
    assert.equal(await page.evaluate(() => document.activeElement.closest(".dock,form.give") !== null), true);
    await page.keyboard.press("Enter");
    await until("the form is open again", async () => page.locator(".give-panel").isVisible());
    assert.equal(await form.locator("#first_name").inputValue(), "Ruth");

    await donor.expecting(REFUSED_FORM, async () => {
      await pledge(form, { amount: "25", email: "nowhere" });
      await form.locator(".summary").waitFor();
    });
    await pledge(form, { amount: "25", email: `${name}@example.org` });
    await form.locator("text=A card that asks the bank first").click();
    await picture(page, `beside-card-${name}`);
    await form.locator("form.card-form button").click();
    await form.locator("button:has-text('Yes, donate')").click();
    await form.locator("h1:has-text('Thank you')").waitFor();
    await picture(page, `beside-thanks-${name}`);
    await until("the total rises behind it", async () => Number((await totalOf(page)).replace(/\D/g, "")) === before + 25, { within: 30_000 });
    const then = await playing(page);
    assert.equal(then.same, true, "the page never went away");
    await until("the picture goes on", async () => (await playing(page)).at > then.at + 0.5);
    await form.locator("[data-leave]").click();
    await until("the way back closes it", async () => !(await page.locator(".give-panel").isVisible()));
    assert.equal((await playing(page)).same, true);
    await donor.leave();
  });
}

test("on a site that was named the form takes a gift, and finance knows that it came from there", async () => {
  const donor = await Person.come(server, { hosts: [new URL(siteUrl).host], viewport: WIDTHS.phone });
  const page = await donor.open(siteUrl);
  const form = page.frameLocator("iframe");
  await form.locator("#first_name").waitFor();
  assert.equal(await form.locator("input[name=via]").inputValue(), "embed");
  await picture(page, "embed-form");
  await pledge(form, { amount: "15", email: "embedded@example.org" });
  await form.locator("text=A card that works").click();
  await form.locator("form.card-form button").click();
  await form.locator("h1:has-text('Thank you')").waitFor();
  assert.equal(await form.locator("[data-leave]").getAttribute("target"), "_blank", "the way to the rally leaves the frame");
  await donor.leave();
  const csv = await (await host.context.request.get(`${server.url}/finance/donations.csv`)).text();
  assert.match(csv, /front-page/);
});

test("on a site that nobody named there is no form", async () => {
  const donor = await Person.come(server, { hosts: [new URL(strangerUrl).host], allow: [/frame-ancestors|Framing/i, /ERR_BLOCKED_BY_RESPONSE/] });
  const page = await donor.open(strangerUrl);
  await page.waitForTimeout(1_000);
  const inside = page.frames().find((frame) => frame !== page.mainFrame());
  const shown = await inside?.locator("#first_name").count().catch(() => 0);
  assert.equal(shown ?? 0, 0);
  await donor.leave();
  const ancestors = async (address) => /frame-ancestors (.*)$/.exec((await fetch(server.url + address)).headers.get("content-security-policy"))[1];
  assert.equal(await ancestors(`${made.href}/donate`), `'self' ${siteUrl}`);
  for (const address of ["/", made.href, `${made.href}/overlay/total`, "/host/sign-in", "/finance"]) {
    assert.equal(await ancestors(address), "'self'", `${address} is framed by nobody`);
  }
});

test("the square code holds the form's address", async () => {
  const donor = await Person.come(server);
  const page = await donor.open(`${made.href}/overlay/qr?refcode=stage`);
  const read = await page.evaluate(async () => {
    const svg = document.querySelector(".qr svg").outerHTML;
    const image = new Image();
    image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 640;
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, 640, 640);
    return [...context.getImageData(0, 0, 640, 640).data];
  });
  const { default: jsQR } = await import("jsqr");
  assert.equal(jsQR(Uint8ClampedArray.from(read), 640, 640)?.data, `${server.url}${made.href}/donate?via=qr&refcode=stage`);
  await donor.leave();
});

test("a match stands on the form and rises with each gift, and is no part of the total", async () => {
  const watcher = await Person.come(server);
  const page = await watcher.open(made.href);
  const before = await totalOf(page);
  await send(host, `${made.studio}/goals`, `${made.studio}/goals/match`, {
    sponsor: "The Rivera family", percent: "100", most: "60", from: "2020-01-01T00:00", until: "2099-12-31T21:00",
  });
  const line = page.locator("[data-part=drive] .match");
  await until("what came before counts", async () => /\$60/.test(await line.textContent()) && /Matched in full/.test(await line.textContent()));
  await send(host, `${made.studio}/goals`, `${made.studio}/goals/match`, {
    sponsor: "Ohio’s nurses", percent: "200", most: "1000", from: "2098-01-01T00:00", until: "2099-12-31T21:00",
  });
  assert.equal(await page.locator("[data-part=drive] .match").count(), 1, "one that begins in years is not announced yet");
  for (const [as, seen] of [["in place", page], ["anew", await watcher.open(made.href)]]) assert.equal(await totalOf(seen), before, `the total ${as}`);
  await watcher.leave();
});
