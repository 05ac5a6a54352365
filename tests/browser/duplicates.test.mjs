// Donors who may be one person: side by side, merged, parted again and told apart; on a phone and on a desk.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { DONOR, REFUSED_FORM, Server, closeBrowser, owner, rally, story } from "./kit.mjs";
import { look } from "./look.mjs";

const test = story();
let server;
let host;
let made;
let page;

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  page = await host.open("/finance/duplicates");
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

const text = () => page.locator("main").textContent();

test("nobody looks like anybody else", async () => {
  assert.match(await text(), /Nobody looks like anybody else/);
  await look(page, "duplicates-empty");
});

test("two pairs stand side by side, and what differs is marked", async () => {
  await give(150, { first_name: "Ruth", last_name: "Abernathy-Washington", email: "ruth.abernathy.washington@gmail.com", address: "1450 Northwest Commonwealth Boulevard, Apartment 12", postal: "97209" });
  await give(2500, { first_name: "Ruth", last_name: "Washington", email: "ruthabernathywashington+rivera@gmail.com", address: "9 Elm Street", postal: "97210", occupation: "Professor of civil engineering", employer: "Portland State University" });
  await give(25, { first_name: "William", last_name: "O’Hara", email: "will@ohara.example", address: "12 Maple Street, Apt 4", postal: "10027" });
  await give(40, { first_name: "Bill", last_name: "O’Hara", email: "bill@ohara.example", address: "12 Maple St.", postal: "10027-1234" });
  await page.goto(`${server.url}/finance/work`);
  assert.equal(await page.locator(".work > li").count(), 2);
  await page.locator(".work h3 a").first().click();
  await page.locator("h1:has-text('Possible duplicates')").waitFor();
  assert.equal(await page.locator(".pairs > li").count(), 2);
  assert.equal(await page.locator("mark:has-text('ruth.abernathy.washington@gmail.com')").count(), 1);
  await look(page, "duplicates-open");
});

test("a reason with an address is refused, and what was typed stays", async () => {
  const apart = page.locator(".pairs > li").first().locator("form").nth(1);
  await apart.locator("textarea").fill("ruth@example.org says so");
  await host.expecting(REFUSED_FORM, () => apart.locator("button").click());
  await page.locator(".error").waitFor();
  assert.equal(await page.locator(".pairs > li").first().locator("form").nth(1).locator("textarea").inputValue(), "ruth@example.org says so");
  await look(page, "duplicates-refused");
  host.clean();
});

test("one pair is merged and the other told apart", async () => {
  const first = page.locator(".pairs > li").first();
  await first.locator("input[name=kept]").nth(1).check({ force: true });
  await first.locator("button:has-text('Merge')").click();
  await page.locator("text=they count as one person").first().waitFor();
  const second = page.locator(".pairs > li").first();
  await second.locator("form").nth(1).locator("textarea").fill("Father and son.");
  await second.locator("button:has-text('Not the same')").click();
  await page.locator("text=Noted: they are two people").waitFor();
  assert.match(await text(), /Nobody looks like anybody else/);
  await page.click("a:has-text('What was decided')");
  assert.equal(await page.locator(".mismatches > li").count(), 2);
  await page.locator("summary").first().click();
  await look(page, "duplicates-decided");
});

test("a gift's page names who is one with its donor, and parting takes that back", async () => {
  await page.goto(`${server.url}/finance/rows?q=ruth.abernathy.washington%40gmail.com`);
  assert.equal(await page.locator("tbody tr").count(), 2);
  await page.locator("tbody th a").first().click();
  await page.locator("dt:has-text('Merged with')").waitFor();
  await look(page, "duplicates-donation");
  await page.click("a[href='/finance/duplicates?show=decided']");
  const merged = page.locator(".mismatches > li:has(h2:text-is('One person'))");
  await merged.locator("summary").click();
  await merged.locator("textarea").fill("She called: they are sisters.");
  await merged.locator("button").click();
  await page.locator("text=Parted: from now on").waitFor();
  await page.click("a:has-text('What waits')");
  assert.equal(await page.locator(".pairs > li").count(), 1);
});
