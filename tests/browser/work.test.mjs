// The finance team's list of work: from the doors of finance to an item that is taken, given on and done; on a phone and on a desk.
import assert from "node:assert/strict";
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
  made = await rally(host);
  page = await host.open("/finance/work");
});
after(async () => {
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

/** The form as it is sent, without a page; gives the donation's address. */
async function pledge(amount, change) {
  const form = new URLSearchParams({ ...DONOR, country: "US", show_as: "full", amount: "other", amount_other: String(amount), ...change });
  for (const statement of ["us-person-1", "own-funds-1", "own-card-1", "not-contractor-1", "adult-1"]) form.append("attest", statement);
  const sent = await host.context.request.post(`${server.url}/r/${made.slug}/donate`, { data: form.toString(), headers: { "content-type": "application/x-www-form-urlencoded" }, maxRedirects: 0 });
  assert.equal(sent.status(), 303, await sent.text());
  return `${server.url}${sent.headers().location}`;
}

const text = () => page.locator("main").textContent();

test("nothing waits", async () => {
  assert.match(await text(), /Nothing is open/);
  await look(page, "work-empty");
});

test("gifts that are held wait, and the doors of finance say so", async () => {
  await page.goto(`${server.url}/finance/rules`);
  await page.fill("#hold_above", "1000");
  await page.click('button:has-text("Save")');
  await page.locator("text=the rules hold for every gift from now on").waitFor();
  const donors = [["2500", "Ruth", "Abernathy-Washington", "ruth@washington.example"], ["1200", "ליאת", "כהן־אברמוביץ׳", "liat@cohen.example"], ["99999.99", "Maximilian-Alexander", "von Hohenberg-Schwarzenstein", "max@hohenberg.example"]];
  for (const [amount, first_name, last_name, email] of donors) {
    await host.context.request.get(await pledge(amount, { first_name, last_name, email }));
  }
  await page.goto(`${server.url}/finance`);
  const link = page.locator('.doors a:has-text("Work list")');
  assert.match(await link.textContent(), /Work list 3/);
  await link.click();
  assert.equal(await page.locator(".work > li").count(), 3);
  await look(page, "work-open");
});

test("one is taken, and stands among mine", async () => {
  await page.locator("button:has-text('Take it')").first().click();
  await page.locator("text=the list says who has it").waitFor();
  assert.match(await text(), /You have it\./);
  await page.selectOption("#mine", "yes");
  await page.click("button:has-text('Show')");
  assert.equal(await page.locator(".work > li").count(), 1);
  await look(page, "work-mine");
});

test("its link leads to where it is done, and done it stands with who did it", async () => {
  await page.locator(".work h3 a").first().click();
  await page.locator("h1:has-text('Gifts to look at')").waitFor();
  await page.fill("#note-1", "Called her: it is hers.");
  await page.click('button:has-text("Release $2,500.00")');
  await page.goto(`${server.url}/finance/work`);
  assert.equal(await page.locator(".work > li").count(), 2);
  await page.click("a:has-text('What was done')");
  await page.locator("td:has-text('Released. Called her')").waitFor();
  await look(page, "work-done");
  await page.click("a:has-text('What is open')");
  assert.equal(await page.locator(".work > li").count(), 2);
});
