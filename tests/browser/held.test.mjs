// A gift that a person looks at first: what its donor reads before and after, and the finance lead's way from the rules to the
// decision, on a phone and on a desk.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import { Person, Server, closeBrowser, owner, picture, pledge, rally, root, story } from "./kit.mjs";

const test = story();
const AXE = readFileSync(path.join(root, "node_modules/axe-core/axe.min.js"), "utf8");
const LOOKS = [["390", { width: 390, height: 844 }, "light"], ["1440", { width: 1440, height: 900 }, "light"], ["1440-dark", { width: 1440, height: 900 }, "dark"]];
let server;
let host;
let finance;
let made;
let donor;
let page;
let other;

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  finance = await host.open("/finance/rules");
  donor = await Person.come(server);
  page = await donor.context.newPage();
});
after(async () => {
  for (const person of [donor, host]) await person?.context.close();
  await closeBrowser();
  await server?.close();
});

/** No rule of axe's is broken, nothing scrolls sideways, and a picture is taken. */
async function look(shown, name) {
  for (const [size, viewport, colorScheme] of LOOKS) {
    await shown.setViewportSize(viewport);
    await shown.emulateMedia({ colorScheme });
    if (!(await shown.evaluate(() => Boolean(window.axe)))) await shown.evaluate(AXE);
    const found = await shown.evaluate(async () => (await window.axe.run()).violations.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes[0].html.slice(0, 140)}`));
    assert.deepEqual(found, [], `${name} at ${size}`);
    const wide = await shown.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    assert.equal(wide, false, `${name} at ${size} fits`);
    await picture(shown, `held-${name}-${size}`);
  }
}

const text = (shown) => shown.locator("main").textContent();

test("the rules name the sum", async () => {
  await finance.fill("#hold_above", "1000");
  await look(finance, "rules");
  await finance.click('button:has-text("Save")');
  await finance.locator("text=the rules hold for every gift from now on").waitFor();
  assert.equal(await finance.inputValue("#hold_above"), "1000");
  await finance.goto(`${server.url}/finance/held`);
  assert.match(await text(finance), /A gift of more than \$1,000 waits here/);
  await look(finance, "empty");
  host.clean();
});

test("a donor of more reads that a person looks first, and no card is asked for", async () => {
  await page.goto(`${server.url}${made.href}/donate`);
  await pledge(page, { other: "2500", first_name: "Ruth", last_name: "Abernathy-Washington", email: "ruth.abernathy@washington.example" });
  await page.locator("h2:has-text('Thank you')").waitFor();
  assert.match(await text(page), /looked at by a person of the campaign first\. Nothing was charged/);
  assert.equal(await page.locator("#card-form").count(), 0);
  await look(page, "donor-waits");
  await page.click('a:has-text("Look again now")');
  assert.match(await text(page), /looked at by a person/);
  other = await donor.context.newPage();
  await other.goto(`${server.url}${made.href}/donate?monthly=1`);
  await pledge(other, { other: "1200", first_name: "ליאת", last_name: "כהן־אברמוביץ׳", email: "liat@cohen.example" });
  await other.locator("h2:has-text('Thank you')").waitFor();
  donor.clean();
});

test("finance sees two, releases one and turns the other away", async () => {
  await finance.goto(`${server.url}/finance`);
  await look(finance, "finance");
  const link = finance.locator('a:has-text("Gifts to look at")');
  assert.match(await link.textContent(), /Gifts to look at 2/);
  await link.click();
  await finance.locator("h3:has-text('$2,500.00 from Ruth Abernathy-Washington')").waitFor();
  assert.match(await text(finance), /\$1,200\.00 each month from ליאת/);
  await finance.locator("summary").nth(1).click();
  await look(finance, "list");
  await finance.fill("#note-1", "Called her: it is hers.");
  await finance.click('button:has-text("Release $2,500.00")');
  await finance.locator("text=Released: the donor can pay now").waitFor();
  assert.doesNotMatch(await text(finance), /Ruth/);
  await finance.locator("summary").click();
  await finance.fill("#reason-1", "No answer on the phone for a week.");
  await finance.locator("details button").click();
  await finance.locator("text=Turned away: nothing was charged").waitFor();
  assert.match(await text(finance), /Nothing waits/);
  host.clean();
});

test("who was released pays, and who was turned away reads so politely", async () => {
  await page.click('a:has-text("Look again now")');
  await page.locator("#card-form").waitFor();
  await look(page, "donor-released");
  await page.locator("input[value=simulated_ok]").check({ force: true });
  await page.click("#card-form button");
  await page.locator("h1:has-text('Thank you')").waitFor();
  await other.reload();
  assert.match(await text(other), /the campaign can’t take it\. Nothing was charged, and nothing will be/);
  assert.doesNotMatch(await text(other), /phone/);
  await look(other, "donor-turned-away");
  donor.clean();
});

test("rules that are set while the card step is open hold the gift there", async () => {
  await page.goto(`${server.url}${made.href}/donate`);
  await pledge(page, { amount: "250", email: "late@petrie.example" });
  await page.locator("#card-form").waitFor();
  await finance.goto(`${server.url}/finance/rules`);
  await finance.fill("#hold_above", "200");
  await finance.click('button:has-text("Save")');
  await finance.locator("text=the rules hold for every gift from now on").waitFor();
  await page.locator("input[value=simulated_ok]").check({ force: true });
  await page.click("#card-form button");
  await page.locator("h2:has-text('Thank you')").waitFor();
  assert.match(await text(page), /looked at by a person of the campaign first/);
  donor.clean();
  host.clean();
});
