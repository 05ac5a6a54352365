// Cards, wallets and debits by the Payment Element: what its script is asked for, and that one call takes what its token stands for. The
// script here is a stand-in's, with the calls that Stripe documents; that Stripe's own draws the element, only Stripe shows.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Bank, ELEMENT } from "../long/bank.mjs";
import { Person, Server, closeBrowser, owner, pledge, rally, story, until } from "./kit.mjs";

const test = story();
let bank;
let server;
let host;
let made;
let donor;
let page;

before(async () => {
  bank = await Bank.open({ takesMs: [1, 5], lost: 0, twice: 0, late: 0, script: ELEMENT });
  server = await Server.start(bank.env(100));
  bank.to = server.url;
  host = await owner(server);
  made = await rally(host);
  donor = await Person.come(server, { hosts: [new URL(bank.base).host] });
  page = await donor.context.newPage();
});
after(async () => {
  for (const person of [donor, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
  await bank?.close();
});

const field = () => page.locator("#card-element input");
const press = () => page.click("#card-form button");

async function toElement(amount, email) {
  await page.goto(`${server.url}${made.href}/donate`);
  await pledge(page, { amount, email });
  await field().waitFor();
}

test("the element is asked for with the sum and what the donor typed, and what is incomplete stays here", async () => {
  await toElement("25", "joan@petrie.example");
  const { options, kind, more } = await page.evaluate(() => window.element);
  assert.deepEqual([options.mode, options.amount, options.currency, kind], ["payment", 2500, "usd", "payment"]);
  assert.equal("setupFutureUsage" in options, false, "a single gift keeps no card");
  assert.deepEqual(more.defaultValues.billingDetails, { name: "Joan Petrie", email: "joan@petrie.example" });
  await press();
  await until("what is missing is said", async () => /incomplete/.test(await page.locator("#card-error").textContent()));
  assert.equal(bank.counts.charges, 0);
});

test("one call takes what the token stands for", async () => {
  await field().fill("wallet");
  await press();
  await page.locator("h1:has-text('Thank you')").waitFor();
  assert.equal(bank.counts.charges, 1);
  assert.equal([...bank.payments.values()].at(-1).token, "ctoken_wallet");
});

test("a decline says why and keeps the element, and the bank's question is its script's", async () => {
  await toElement("50", "second@petrie.example");
  await field().fill("declined");
  await press();
  await until("the reason is said", async () => /not enough money|insufficient|declined/i.test(await page.locator("#card-error").textContent()));
  assert.equal(await field().inputValue(), "declined", "what stood in the element stays");
  await field().fill("action");
  await press();
  await page.locator("h1:has-text('Thank you')").waitFor();
  const paid = [...bank.payments.values()].filter((payment) => payment.status === "succeeded");
  assert.deepEqual(paid.map(({ amount, token }) => [amount, token]), [[2500, "ctoken_wallet"], [5000, "ctoken_action"]]);
  donor.clean();
});

test("a question that waits is asked as soon as its donor opens the page", async () => {
  await toElement("100", "third@petrie.example");
  // Another browser sent the card and was closed.
  const body = JSON.stringify({ method: "ctoken_action_later" });
  const asked = await fetch(`${page.url()}/pay`, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal((await asked.json()).state, "action");
  await page.reload();
  await page.locator("h1:has-text('Thank you')").waitFor();
  const once = [...bank.payments.values()].filter(({ amount }) => amount === 10_000);
  assert.deepEqual(once.map(({ status, token }) => [status, token]), [["succeeded", "ctoken_action_later"]]);
  donor.clean();
});

test("where the gift is to come again, the element is told that its card is kept", async () => {
  await page.goto(`${server.url}${made.href}/donate?monthly=1`);
  await pledge(page, { amount: "25", email: "fourth@petrie.example" });
  await field().waitFor();
  assert.equal(await page.evaluate(() => window.element.options.setupFutureUsage), "off_session");
  donor.clean();
});
