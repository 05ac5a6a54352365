// Giving through Stripe's script, API and webhooks, as its stand-in plays them; then what finance sees of it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { LocalStripe, Person, Server, closeBrowser, owner, pledge, rally, story, totalOf, until } from "./kit.mjs";

const test = story();
const WEBHOOK_SECRET = "whsec_test_groundswell";
let stripe;
let server;
let host;
let made;
let donor;
let page;
let watcher;
let watching;

before(async () => {
  stripe = await LocalStripe.start();
  server = await Server.start({
    GROUNDSWELL_PROCESSOR: "stripe", GROUNDSWELL_STRIPE_SECRET_KEY: "sk_test_12345", GROUNDSWELL_STRIPE_PUBLISHABLE_KEY: "pk_test_12345",
    GROUNDSWELL_STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET, GROUNDSWELL_STRIPE_API_BASE: stripe.base, GROUNDSWELL_STRIPE_SCRIPT_URL: stripe.script,
  });
  await stripe.sendWebhooksTo(`${server.url}/webhooks/stripe`, WEBHOOK_SECRET);
  host = await owner(server);
  made = await rally(host);
  watcher = await Person.come(server);
  watching = await watcher.open(made.href);
  await watching.evaluate(() => { window.sameDocument = true; });
  // Only the card step may load something from another host: the processor's own script.
  donor = await Person.come(server, { hosts: [new URL(stripe.base).host] });
});
after(async () => {
  for (const person of [donor, watcher, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
  await stripe?.close();
});

async function card(number) {
  const fields = { number, exp_month: "12", exp_year: "30", cvc: "123", postal_code: "43604" };
  for (const [name, value] of Object.entries(fields)) await page.fill(`#card-element input[placeholder=${name}]`, value);
}

async function toCard(amount, change = {}) {
  page ??= await donor.context.newPage();
  await page.goto(`${server.url}${made.href}/donate`);
  await pledge(page, { amount, ...change });
  await page.locator("#card-element input[placeholder=number]").waitFor();
}

async function seen(total, since) {
  await until(`the other browser shows ${total}`, async () => (await totalOf(watching)) === total, { within: 5_000, every: 10 });
  console.log(`# ${total} on the second browser ${Date.now() - since} ms after the press`);
  assert.equal(await watching.evaluate(() => window.sameDocument), true, "no reload");
}

async function press(words) {
  const since = Date.now();
  await page.click(`button:has-text("${words}")`, { noWaitAfter: true });
  return since;
}

const thanks = () => page.locator("h1:has-text('Thank you')").waitFor();

test("a card settles, and another browser sees the total rise", async () => {
  await toCard("25");
  await card("4242424242424242");
  await seen("$25", await press("Donate $25"));
  await thanks();
  assert.match(await page.locator(".receipt").textContent(), /4242/);
  donor.clean();
});

test("a declined card says why and keeps the form; another card goes through", async () => {
  await toCard("50", { email: "second@petrie.example", first_name: "נועה" });
  await card("4000000000000341");
  await press("Donate $50");
  await until("the reason is shown", async () => /declined/i.test(await page.locator("#card-error").textContent()));
  assert.equal(await page.locator("#card-element input[placeholder=number]").isVisible(), true);
  assert.equal(await totalOf(watching), "$25");
  await card("4242424242424242");
  await seen("$75", await press("Donate $50"));
  await thanks();
  donor.clean();
});

test("the bank's question: refused first, answered then", async () => {
  await toCard("100", { email: "third@petrie.example" });
  await card("4000002500003155");
  await press("Donate $100");
  await page.click("button:has-text('Fail authentication')");
  await until("the reason is shown", async () => (await page.locator("#card-error").textContent()).trim() !== "");
  assert.equal(await totalOf(watching), "$75");
  await card("4000002500003155");
  await press("Donate $100");
  await page.locator("button:has-text('Complete authentication')").waitFor();
  await seen("$175", await press("Complete authentication"));
  await thanks();
  donor.clean();
});

let table;

/** The file's header and rows; its last line is the log's head, which is none of them. */
async function download() {
  const files = await host.open("/finance/exports");
  const [file] = await Promise.all([files.waitForEvent("download"), files.locator("button:has-text('Donations, CSV')").click()]);
  await files.close();
  const lines = readFileSync(await file.path(), "utf8").trim().split(/\r?\n/);
  assert.match(lines.pop(), /,ledger head,test,.*,[0-9a-f]{64},/);
  return lines;
}

test("finance sees the donations, and the file has their rows", async () => {
  table = await host.open("/finance");
  assert.match(await table.locator(".figures").textContent(), /\$175\.00/);
  const file = await download();
  assert.equal(file.length, 4, file.join("\n"));
  assert.equal(file.filter((row) => /,(")?(25|50|100)\.00/.test(row)).length, 3, "amounts stand as decimal text");
  assert.equal(file.some((row) => row.includes("נועה")), true);
  host.clean();
});

test("a refund is asked about, is a row of its own, and the total falls on the open page", async () => {
  const row = table.locator("tr", { hasText: "נועה" });
  await row.locator("button:has-text('Refund')").click();
  assert.match(await table.locator("h1").textContent(), /Refund \$50\.00 to נועה/);
  await table.click("text=Keep things as they are");
  assert.equal(await totalOf(watching), "$175");
  await row.locator("button:has-text('Refund')").click();
  const since = Date.now();
  await table.click("button:has-text('Refund $50.00')");
  await table.waitForURL("**/finance?done=refunded");
  await seen("$125", since);
  await table.goto(`${server.url}/finance`);
  assert.equal(await table.locator("tr.refund").count(), 1);
  const file = await download();
  assert.equal(file.length, 5, file.join("\n"));
  assert.equal(file.filter((line) => line.includes("-50.00")).length, 1, "a refund is a row of its own");
  for (const person of [donor, watcher, host]) person.clean();
});
