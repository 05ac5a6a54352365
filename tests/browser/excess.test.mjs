// Gifts over a limit that was set after they came: the finance lead gives one's excess back, counts another's for the next election,
// and a third's as a spouse's, on a phone and on a desk.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { look } from "./look.mjs";
import { Person, REFUSED_FORM, Server, closeBrowser, owner, pledge, rally, story } from "./kit.mjs";

const test = story();
const DONORS = [
  { first_name: "Ruth", last_name: "Abernathy-Washington", email: "ruth.abernathy@washington.example" },
  { first_name: "ליאת", last_name: "כהן־אברמוביץ׳", email: "liat@cohen.example" },
  { first_name: "Ada", last_name: "Ng", email: "ada@ng.example" },
];
let server;
let host;
let made;
let page;

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
  page = await host.open("/finance/excess");
});
after(async () => {
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
const text = () => page.locator("main").textContent();
const of = (name) => page.locator("li", { hasText: name }).first();

test("three give more than the limit that comes later", async () => {
  assert.match(await text(), /The rules of this committee name no limit/);
  await look(page, "excess-no-limits");
  for (const [at, who] of DONORS.entries()) {
    const donor = await Person.come(server);
    const form = await donor.open(`${made.href}/donate`);
    await pledge(form, { amount: "other", other: String(4000 + at * 500), ...who, address: `${at} Elm Street` });
    await form.click("button:has-text('Donate $')");
    await form.getByText("Thank you").first().waitFor();
    await donor.leave();
  }
  await page.goto(`${server.url}/finance/rules`);
  for (const [at, name, from, until] of [[1, "primary election", day(-30), day(60)], [2, "general election", day(61), day(120)]]) {
    await page.fill(`#limit_name_${at}`, name);
    await page.fill(`#limit_amount_${at}`, "3500");
    await page.fill(`#limit_from_${at}`, from);
    await page.fill(`#limit_until_${at}`, until);
  }
  await page.click('button:has-text("Save")');
  await page.locator("text=the rules hold for every gift from now on").waitFor();
  await page.goto(`${server.url}/finance`);
  await page.click('a:has-text("Over the limit")');
  await page.locator("h2:has-text('$1,500.00 over: Ada Ng')").waitFor();
  assert.match(await text(), /\$500\.00 over: Ruth Abernathy-Washington/);
  await look(page, "excess-list");
  host.clean();
});

test("the excess of one is given back, and no more", async () => {
  await of("Ruth").locator("button:has-text('Refund $500.00')").click();
  await page.locator("h1:has-text('Refund $500.00 to Ruth Abernathy-Washington?')").waitFor();
  await page.click("button:has-text('Refund $500.00')");
  await page.getByText("The refund is under way.").waitFor();
  await page.reload();
  assert.match(await page.locator("#done + ul").textContent(), /\$500\.00 over the primary election: Ruth.*\$500\.00 given back on .*, by Hana/s);
  host.clean();
});

test("another's counts for the next election, as she wrote", async () => {
  const liat = of("ליאת");
  await liat.locator("summary:has-text('Redesignate')").click();
  await liat.locator("details[open] input[name=amount]").fill("4000");
  await host.expecting(REFUSED_FORM, () => liat.locator("button:has-text('Redesignate')").click());
  await page.getByText("The general election has no room for that").waitFor();
  await look(page, "excess-refused");
  await of("ליאת").locator("details[open] input[name=amount]").fill("1000");
  await of("ליאת").locator("button:has-text('Redesignate')").click();
  await page.getByText("Redesignated: limits count it there from now on").waitFor();
  assert.match(await page.locator("#done + ul").textContent(), /\$1,000\.00 redesignated to the general election, in writing of .*; recorded by Hana/);
  host.clean();
});

test("a third's counts as a spouse's, as both signed, and can be undone", async () => {
  await of("Ada").locator("summary:has-text('Reattribute')").click();
  const form = of("Ada").locator("details[open]");
  for (const [name, value] of Object.entries({ first_name: "Bo", last_name: "Ng", city: "Columbus", region: "OH", postal: "43215", employer: "Ironworks", occupation: "Smith" })) await form.locator(`input[name=${name}]`).fill(value);
  await host.expecting(REFUSED_FORM, () => form.locator("button:has-text('Reattribute')").click());
  await page.getByText("Only what both have signed can be reattributed").waitFor();
  assert.equal(await of("Ada").locator("details[open] input[name=employer]").inputValue(), "Ironworks");
  await look(page, "excess-reattribute");
  await of("Ada").locator("label:has-text('Both have signed')").click();
  await of("Ada").locator("button:has-text('Reattribute')").click();
  await page.getByText("Reattributed: limits count it").waitFor();
  assert.match(await text(), /Nobody is over a limit/);
  await look(page, "excess-mended");
  await page.locator("li", { hasText: "Bo Ng" }).locator("button:has-text('Undo')").click();
  await page.getByText("Undone: it counts again as it was given").waitFor();
  assert.match(await text(), /\$1,500\.00 over: Ada Ng/);
  host.clean();
});
