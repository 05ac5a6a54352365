// The finance lead's way through the money: figures, the rows beneath them, a donation with its events, files; on a phone and on a desk.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { DONOR, Server, closeBrowser, owner, rally, story } from "./kit.mjs";
import { look } from "./look.mjs";

const test = story();
let server;
let host;
let made;
let page;

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host, { speakers: ["Ana Díaz", "Omar Said"] });
});
after(async () => {
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

/** The form as it is sent, without a page. */
async function give(amount, change) {
  const form = new URLSearchParams({ ...DONOR, country: "US", show_as: "full", amount: "other", amount_other: String(amount), ...change });
  for (const statement of ["us-person-1", "own-funds-1", "own-card-1", "not-contractor-1", "adult-1"]) form.append("attest", statement);
  const sent = await host.context.request.post(`${server.url}/r/${made.slug}/donate`, { data: form.toString(), headers: { "content-type": "application/x-www-form-urlencoded" }, maxRedirects: 0 });
  assert.equal(sent.status(), 303, await sent.text());
  const paid = await host.context.request.post(`${server.url}${sent.headers().location}/pay`, { data: { method: "simulated_ok" }, headers: { accept: "application/json" } });
  assert.equal((await paid.json()).state, "settled");
}

test("gifts come by links", async () => {
  for (const [n, amount] of [25, 40, 60, 100, 250, 15, 25, 35].entries()) {
    await give(amount, { email: `donor${n}@example.org`, refcode: ["", "text-tuesday", "email-3"][n % 3] });
  }
});

test("figures say by what the money came, and open their rows", async () => {
  page = await host.open("/finance");
  assert.match(await page.locator(".figures").textContent(), /\$550\.00/);
  await page.locator("h2", { hasText: "By refcode" }).waitFor();
  assert.match(await page.locator(".timeline figure").getAttribute("aria-label"), /^Money by minute: \$550\.00 in all; /);
  await look(page, "ledger-figures");
  await page.click(".bys a:has-text('text-tuesday')");
  await page.locator("h1", { hasText: "Ledger" }).waitFor();
  assert.equal(await page.locator("tbody tr").count(), 3);
  await look(page, "ledger-refcode");
});

test("what is looked for is found", async () => {
  await page.goto(`${server.url}/finance/rows`);
  await page.fill("#q", "donor4@example.org");
  await page.click("button:has-text('Show')");
  assert.equal(await page.locator("tbody tr").count(), 1);
  assert.equal(await page.inputValue("#q"), "donor4@example.org", "what was typed stays");
  await look(page, "ledger-found");
  await page.fill("#q", "nobody@example.org");
  await page.click("button:has-text('Show')");
  await page.locator("text=There is nothing like that").waitFor();
  await look(page, "ledger-nothing");
});

test("a row opens its donation and every event of it", async () => {
  await page.goto(`${server.url}/finance/rows?q=250`);
  await page.click("tbody th a");
  await page.locator("h1", { hasText: "$250.00" }).waitFor();
  assert.match(await page.locator("main").textContent(), /\$250\.00 came in\./);
  await look(page, "ledger-donation");
});

test("files are taken for a reason", async () => {
  await page.goto(`${server.url}/finance`);
  await page.click("text=Files");
  await look(page, "ledger-files");
  await page.fill("#reason", "July bank statement");
  for (const [name, ending] of [["Donations, CSV", "csv"], ["Donations, Excel", "xlsx"], ["Contributions for a campaign database", "csv"], ["Payouts to the bank, CSV", "csv"], ["Events, JSON lines", "jsonl"]]) {
    const [file] = await Promise.all([page.waitForEvent("download"), page.locator("li", { has: page.locator(`h2:text-is("${name}")`) }).locator("button").click()]);
    assert(file.suggestedFilename().endsWith(ending), file.suggestedFilename());
    if (name === "Donations, CSV") assert.match(readFileSync(await file.path(), "utf8"), /: July bank statement/);
  }
  await page.fill("#reason", "for joan@example.org");
  await page.locator("button:has-text('Download')").first().click();
  await page.locator("text=Leave names and addresses out").or(page.locator(".summary")).first().waitFor();
  assert.equal(await page.inputValue("#reason"), "for joan@example.org", "what was typed stays");
  await look(page, "ledger-files-error");
});
