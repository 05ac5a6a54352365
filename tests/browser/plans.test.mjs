// A gift that comes each month, through Stripe's stand-in: the form, the card, the next charge on its day, a change and the end.
// The server's clock is this machine's, and ahead of it by as many days as the test says.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { LocalStripe, Person, Server, closeBrowser, owner, picture, pledge, rally, root, story, until } from "./kit.mjs";

const test = story();
const PHONE = { width: 390, height: 844 };
const WIDE = { width: 1440, height: 900 };
let folder;
let stripe;
let server;
let host;
let made;
let donor;
let page;
let manage;

function ahead(days) {
  writeFileSync(path.join(folder, "beside"), String(days * 86_400));
  renameSync(path.join(folder, "beside"), path.join(folder, "seconds"));
}

async function pictures(name, of = page) {
  for (const [size, width] of [["390", PHONE], ["1440", WIDE]]) {
    await of.setViewportSize(width);
    await picture(of, `plans-${name}-${size}`);
    const wide = await of.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    assert.equal(wide, false, `${name} at ${size} fits`);
  }
}

before(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "groundswell-ahead-"));
  const library = path.join(folder, "ahead.so");
  execFileSync("cc", ["-O1", "-shared", "-fPIC", "-o", library, path.join(root, "tests/support/ahead.c")]);
  ahead(0);
  stripe = await LocalStripe.start();
  server = await Server.start({
    LD_PRELOAD: library, CLOCK_AHEAD: path.join(folder, "seconds"),
    GROUNDSWELL_PROCESSOR: "stripe", GROUNDSWELL_STRIPE_SECRET_KEY: "sk_test_12345", GROUNDSWELL_STRIPE_PUBLISHABLE_KEY: "pk_test_12345",
    GROUNDSWELL_STRIPE_WEBHOOK_SECRET: "whsec_x", GROUNDSWELL_STRIPE_API_BASE: stripe.base, GROUNDSWELL_STRIPE_SCRIPT_URL: stripe.script,
  });
  host = await owner(server);
  made = await rally(host);
  donor = await Person.come(server, { hosts: [new URL(stripe.base).host] });
  page = await donor.context.newPage();
});
after(async () => {
  for (const person of [donor, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
  await stripe?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const text = () => page.locator("main").textContent();

async function card(number) {
  const fields = { number, exp_month: "12", exp_year: "30", cvc: "123", postal_code: "43604" };
  for (const [name, value] of Object.entries(fields)) await page.fill(`#card-element input[placeholder=${name}]`, value);
}

async function shows(words) {
  await until(`the page shows ${words}`, async () => {
    await page.goto(manage);
    return (await text()).includes(words);
  }, { within: 30_000, every: 500 });
}

test("a link chooses every month, and form and card say what is agreed to", async () => {
  await page.goto(`${server.url}${made.href}/donate?monthly=1`);
  assert.equal(await page.locator("input[name=every][value=month]").isChecked(), true);
  assert.equal(await page.locator("[data-every-note]").isVisible(), true);
  await page.locator("input[name=every][value=once]").check();
  assert.equal(await page.locator("[data-every-note]").isVisible(), false);
  await page.locator("input[name=every][value=month]").check();
  await page.locator('input[name=amount][value="25"]').check({ force: true });
  assert.equal(await page.locator("[data-donate-button]").textContent(), "Continue with $25 each month");
  await pictures("form");
  await pledge(page, { amount: "25" });
  await page.locator("#card-element input[placeholder=number]").waitFor();
  assert.match(await text(), /You agree that your card is charged \$25\.00 today and then on the \d+(st|nd|rd|th) of each month/);
  assert.equal(await page.locator("#card-form button").textContent(), "Donate $25 each month");
  await pictures("card");
});

test("the first gift is charged, and the thanks lead to a page where it is changed", async () => {
  await card("4242424242424242");
  await page.click('button:has-text("Donate $25 each month")');
  await page.locator("h1:has-text('Thank you')").waitFor();
  await pictures("thanks");
  manage = new URL(await page.locator("a:has-text('Change, pause or stop it')").getAttribute("href"), server.url).href;
  await shows("The next gift is charged on");
  assert.match(await text(), /visa 4242/);
  await pictures("manage");
});

test("it is charged again by itself when its day has come, and once", async () => {
  ahead(31);
  await until("the second gift is received", async () => {
    await page.goto(manage);
    return (await page.locator(".plan-gifts li").count()) === 2 && (await page.locator(".plan-gifts").textContent()).match(/Received/g)?.length === 2;
  }, { within: 30_000, every: 500 });
  await page.goto(manage);
  assert.equal(await page.locator(".plan-gifts li").count(), 2);
  const total = await (await fetch(`${server.url}${made.href}/live.json`)).json();
  assert.equal(total.raised_minor, 5000);
});

test("its donor changes it, is told what is wrong, pauses, goes on and stops", async () => {
  await donor.expecting(/status of 422/, async () => {
    await page.fill("#amount", "0.20");
    await page.click("button:has-text('Save')");
    await page.locator(".summary").waitFor();
  });
  assert.equal(await page.inputValue("#amount"), "0.20");
  await pictures("refused");
  await page.fill("#amount", "40");
  await page.click("button:has-text('Save')");
  await page.locator("h1:has-text('$40')").waitFor();
  await page.click("button:has-text('Pause')");
  await page.locator("text=Nothing is charged until you go on").waitFor();
  await page.click("button:has-text('Go on')");
  await page.locator("text=The next gift is charged on").waitFor();
  await page.click("button:has-text('Stop this gift')");
  await page.locator("text=It has ended").waitFor();
  await pictures("stopped");
  ahead(95);
  await new Promise((done) => setTimeout(done, 12_000));
  await page.goto(manage);
  assert.equal(await page.locator(".plan-gifts li").count(), 2, "nothing was charged after it was stopped");
  donor.clean();
});

test("a single gift is offered as a monthly one, with everything that was typed", async () => {
  ahead(0);
  await page.goto(`${server.url}${made.href}/donate`);
  await pledge(page, { amount: "50", email: "once@petrie.example" });
  await page.locator("#card-element input[placeholder=number]").waitFor();
  await card("4242424242424242");
  await page.click('button:has-text("Donate $50")');
  await page.locator("h1:has-text('Thank you')").waitFor();
  await pictures("offer");
  await page.click("a:has-text('Make it monthly')");
  assert.equal(await page.locator("input[name=every][value=month]").isChecked(), true);
  assert.equal(await page.inputValue("#email"), "once@petrie.example");
  assert.equal(await page.locator('input[name=amount][value="50"]').isChecked(), true);
  donor.clean();
});

test("finance sees how each stands", async () => {
  // Its session is of today.
  const books = await host.open("/finance/plans");
  assert.match(await books.locator("main").textContent(), /Joan Petrie.*\$40 each month.*ended: by the donor/s);
  await pictures("finance", books);
  host.clean();
});
