// Giving where the card fields can't be: without JavaScript, and with the payment company's script blocked. Stripe's own page is
// its stand-in's, which needs no script either.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { LocalStripe, Person, Server, closeBrowser, freePort, owner, picture, pledge, program, rally, story, totalOf, until } from "./kit.mjs";

const test = story();
const WEBHOOK_SECRET = "whsec_test_groundswell";
const PHONE = { width: 390, height: 844 };
const DESK = { width: 1440, height: 900 };
const CANT_LOAD = /status of 404 .*js\.stripe\.com/;
let standIn;
let base;
let server;
let host;
let made;
let watcher;
let watching;

const settings = (script) => ({
  GROUNDSWELL_PROCESSOR: "stripe", GROUNDSWELL_STRIPE_SECRET_KEY: "sk_test_12345", GROUNDSWELL_STRIPE_PUBLISHABLE_KEY: "pk_test_12345",
  GROUNDSWELL_STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET, GROUNDSWELL_STRIPE_API_BASE: base, GROUNDSWELL_STRIPE_SCRIPT_URL: script,
});

before(async () => {
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  standIn = program("python3", ["tests/support/checkout_stand_in.py", String(port)]);
  await until("the stand-in listens", () => standIn.said.includes(String(port)));
  server = await Server.start(settings(`${base}/js.stripe.com/v3/`));
  await fetch(`${base}/_config`, { method: "POST", body: JSON.stringify({ webhooks: { url: `${server.url}/webhooks/stripe`, secret: WEBHOOK_SECRET } }) });
  host = await owner(server);
  made = await rally(host);
  watcher = await Person.come(server);
  watching = await watcher.open(made.href);
});
after(async () => {
  for (const person of [watcher, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
  await standIn?.stop();
});

const come = (options) => Person.come(server, { hosts: [new URL(base).host], ...options });

for (const [name, viewport, total] of [["390", PHONE, "$100"], ["1440", DESK, "$200"]]) {
  test(`without JavaScript, from the rally's page to the thanks at ${name}`, async () => {
    const plain = await come({ javaScriptEnabled: false, viewport });
    const page = await plain.open(made.href);
    await page.locator("a[href*='/donate'], form.give [data-donate-button]").locator("visible=true").first().click();
    await pledge(page, { amount: "100", email: `plain${name}@example.org` });
    await page.locator("text=Pay $100 on Stripe’s page").waitFor();
    assert.equal(await page.locator("noscript .error").isVisible(), true);
    for (const useless of ["#card-element", ".card-form button"]) assert.equal(await page.locator(useless).isVisible(), false, useless);
    await picture(page, `checkout-card-${name}`);
    await page.click("text=Pay $100 on Stripe’s page");
    await page.waitForURL(`${base}/c/pay/**`);
    await page.click("text=Pay with a card that is declined");
    assert.match(await page.locator("[role=alert]").textContent(), /declined/);
    await page.click("text=Cancel");
    await page.locator("text=You have begun to pay on Stripe’s page").waitFor();
    assert.equal(await page.locator("text=Or enter a card below").isVisible(), false, "there are no card fields to enter one in");
    await picture(page, `checkout-begun-${name}`);
    await page.click("text=Go on to Stripe’s page");
    await page.click("button:text-is('Pay')");
    await page.locator("h1:has-text('Thank you')").waitFor();
    await picture(page, `checkout-thanks-${name}`);
    await until("the other browser shows it", async () => (await totalOf(watching)) === total);
    await plain.leave();
  });
}

test("with the payment company's script blocked, the same button is there", async () => {
  const donor = await come({ viewport: PHONE, allow: [CANT_LOAD] });
  const page = await donor.open(`${made.href}/donate?amount=25`);
  await pledge(page, { amount: "25", email: "blocked@example.org" });
  await page.locator("form[data-state=blocked]").waitFor();
  assert.match(await page.locator("#card-error").textContent(), /Stripe’s own page, with the button below/);
  await picture(page, "checkout-blocked-390");
  await page.click("text=Pay $25 on Stripe’s page");
  await page.click("button:text-is('Pay')");
  await page.locator("h1:has-text('Thank you')").waitFor();
  await donor.leave();
});

test("in a frame the page opens in a window of its own, since it lets nobody frame it", async () => {
  const donor = await come({ viewport: DESK, allow: [CANT_LOAD] });
  const page = await donor.open(made.href);
  await page.evaluate((address) => {
    const frame = document.createElement("iframe");
    frame.src = address;
    frame.style.cssText = "position:fixed;inset:0;width:480px;height:100vh;z-index:99";
    frame.id = "frame";
    document.body.append(frame);
  }, `${made.href}/donate?amount=25`);
  const frame = page.frameLocator("#frame");
  await pledge(frame, { amount: "25", email: "framed@example.org" });
  await frame.locator("form[data-state=blocked]").waitFor();
  const [opened] = await Promise.all([donor.context.waitForEvent("page"), frame.locator("text=Pay $25 on Stripe’s page").click()]);
  await opened.waitForURL(`${base}/c/pay/**`);
  assert.equal(await opened.evaluate(() => window.opener), null);
  await opened.click("button:text-is('Pay')");
  await opened.locator("h1:has-text('Thank you')").waitFor();
  assert.equal(page.url(), server.url + made.href, "the page around the frame stays");
  await donor.leave();
});

test("where the card fields stand, the way around them does not", async () => {
  const stripe = await LocalStripe.start();
  const other = await Server.start(settings(stripe.script));
  const owns = await owner(other);
  const there = await rally(owns);
  const donor = await Person.come(other, { hosts: [new URL(stripe.base).host, new URL(base).host] });
  const page = await donor.open(`${there.href}/donate?amount=25`);
  await pledge(page, { amount: "25" });
  await page.locator("#card-element input[placeholder=number]").waitFor();
  assert.equal(await page.locator("text=Pay $25 on Stripe’s page").isVisible(), false);
  // Begun all the same, from a browser of theirs without scripts: both ways are offered, and the card closes the other.
  await page.evaluate(() => document.querySelector(".checkout form").submit());
  await page.waitForURL(`${base}/c/pay/**`);
  await page.click("text=Cancel");
  await page.locator("text=Or enter a card below").waitFor();
  await page.locator("#card-element input[placeholder=number]").waitFor();
  assert.equal(await page.locator("text=Go on to Stripe’s page").isVisible(), true);
  for (const [name, size] of [["390", PHONE], ["1440", DESK]]) {
    await page.setViewportSize(size);
    await picture(page, `checkout-both-${name}`);
  }
  await donor.leave();
  await owns.leave();
  await other.close();
  await stripe.close();
});

test("nothing went wrong on the way", async () => {
  watcher.clean();
  host.clean();
});
