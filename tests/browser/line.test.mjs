// The line before the payment company, as a donor sees it: a place that falls by itself, with and without a script, on both sizes of
// screen; then the thanks, or the bank's question.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Bank } from "../long/bank.mjs";
import { DONOR, Person, Server, closeBrowser, owner, picture, pledge, rally, story, until } from "./kit.mjs";

const test = story();
/** Charges a second: the line of [`CROWD`] lasts some twenty seconds. */
const RATE = 2;
const CROWD = 40;
let bank;
let server;
let host;
let made;
let donor;
let page;

before(async () => {
  bank = await Bank.open({ takesMs: [100, 200], lost: 0, twice: 0 });
  server = await Server.start(bank.env(RATE));
  bank.to = server.url;
  host = await owner(server);
  made = await rally(host);
  donor = await Person.come(server, { hosts: [new URL(bank.base).host] });
});
after(async () => {
  for (const person of [donor, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
  await bank?.close();
});

/** Others press the button at the same time. */
async function crowd(name, count) {
  const each = Array.from({ length: count }, async (_, number) => {
    const form = new URLSearchParams({ amount: "25", ...DONOR, email: `${name}${number}@crowd.example`, country: "US", show_as: "full" });
    for (const attest of ["us-person-1", "own-funds-1", "own-card-1", "not-contractor-1", "adult-1"]) form.append("attest", attest);
    const pledged = await fetch(`${server.url}${made.href}/donate`, { method: "POST", body: form, redirect: "manual" });
    assert.equal(pledged.status, 303);
    return pledged.headers.get("location");
  });
  const donations = await Promise.all(each);
  const method = JSON.stringify({ method: `pm_${name}` });
  const paid = donations.map((href) => fetch(`${server.url}${href}/pay`, { method: "POST", headers: { "content-type": "application/json" }, body: method }).then((answer) => answer.json()));
  await until("most are told their place", async () => {
    const pages = await Promise.all(donations.map(async (href) => (await fetch(`${server.url}${href}`)).text()));
    return pages.filter((text) => text.includes("data-number>")).length > count / 2;
  });
  return { donations, paid: Promise.all(paid) };
}

const number = async () => Number(await page.locator("[data-number]").textContent({ timeout: 2_000 }).catch(() => "0"));

async function give(amount, email, card) {
  page ??= await donor.context.newPage();
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(`${server.url}${made.href}/donate`);
  await pledge(page, { amount, email });
  const field = page.locator("#card-element input");
  await field.waitFor();
  await field.fill(card);
  return field;
}

test("in a rush the page says how many come first, goes on by itself, and ends with thanks", async () => {
  // The card is ready before the rush begins.
  await give("50", "joan@petrie.example", "ok");
  const others = await crowd("a", CROWD);
  await page.click("button:has-text('Donate $50')");
  await page.locator("[data-number]").waitFor();
  const first = await number();
  assert(first > 10 && first <= CROWD + 1, `number ${first}`);
  assert.match(await page.locator(".wait").textContent(), /About \d+ seconds\. Your gift keeps its place, and this page goes on by itself\./);
  await picture(page, "line-1440");
  await page.setViewportSize({ width: 390, height: 844 });
  await picture(page, "line-390");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, "nothing stands out to the side");
  const seen = [first];
  await until("the place falls by itself, to the thanks", async () => {
    const now = await number();
    if (now && now !== seen.at(-1)) seen.push(now);
    return page.locator("h1:has-text('Thank you')").isVisible();
  }, { within: 60_000, every: 200 });
  assert(seen.length >= 3 && seen.every((place, at) => at === 0 || place < seen[at - 1]), `places ${seen}`);
  console.log(`# places shown: ${seen.join(", ")}`);
  for (const { state } of await others.paid) assert(["line", "settled", "processing"].includes(state), state);
  donor.clean();
});

test("without a script the page reloads too", async () => {
  const others = await crowd("b", CROWD);
  const plain = await Person.come(server, { javaScriptEnabled: false });
  // Who came last.
  const places = await Promise.all(others.donations.map(async (href) => [Number(/data-number>(\d+)/.exec(await (await fetch(`${server.url}${href}`)).text())?.[1] ?? 0), href]));
  const [place, href] = places.sort((one, other) => other[0] - one[0])[0];
  const look = await plain.open(href);
  await until("the place falls", async () => Number(await look.locator("[data-number]").textContent({ timeout: 2_000 }).catch(() => place)) < place - 2, { within: 30_000 });
  await plain.leave();
});

test("where the bank asks something after the line, the page asks it, and goes on", async () => {
  const field = await give("100", "third@petrie.example", "action");
  assert(await field.isVisible());
  await crowd("c", CROWD / 2);
  await page.click("button:has-text('Donate $100')");
  await page.locator("[data-number]").waitFor();
  assert.equal([...bank.payments.values()].some((payment) => payment.status === "requires_action"), false, "nobody is asked before it is their turn");
  await page.locator("h1:has-text('Thank you')").waitFor({ timeout: 60_000 });
  assert.equal([...bank.payments.values()].filter((payment) => payment.amount === 10_000).length, 1, "one charge");
  donor.clean();
});
