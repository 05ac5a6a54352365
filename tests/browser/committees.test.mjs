// Several committees as staff, donors and finance see them: rules and a formula by the form, a joint gift from the stated formula to
// its parts on the receipt, and the money by committee.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { look } from "./look.mjs";
import { Person, Server, closeBrowser, owner, pledge, rally, story } from "./kit.mjs";

const test = story();
let server;
let host;
let made;

before(async () => {
  server = await Server.start({ GROUNDSWELL_ACCOUNTS: "state-party,victory" });
  host = await owner(server);
  made = await rally(host);
});
after(async () => {
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

/** The rules of a committee, filled in as a person does; ends on the saved page. */
async function rules(name, fill) {
  const page = await host.open("/finance/rules");
  await page.click(`nav[aria-label=Committees] >> text="${name}"`);
  await fill(page);
  await page.click("button:has-text('Save')");
  await page.locator(".notice, [role=status]").first().waitFor();
  return page;
}

const limit = (amount) => async (page) => {
  await page.fill("#limit_name_1", "2030 election");
  await page.fill("#limit_amount_1", amount);
  await page.fill("#limit_from_1", "2020-01-01");
  await page.fill("#limit_until_1", "2040-12-31");
};

test("the finance lead names the committees, their limits and the formula", async () => {
  await (await rules("the campaign", async (page) => { await page.fill("#name", "Vega for Ohio"); await limit("100")(page); })).close();
  await (await rules("state-party", async (page) => { await page.fill("#name", "Ohio State Party"); await limit("500")(page); })).close();
  const page = await rules("victory", async (page) => {
    await page.fill("#name", "Vega Victory Fund");
    await page.check("input[name=formula][value=shares]");
    await page.getByLabel("Vega for Ohio", { exact: true }).fill("62.5");
    await page.getByLabel("Ohio State Party", { exact: true }).fill("37.5");
  });
  assert.equal(await page.getByLabel("Ohio State Party", { exact: true }).inputValue(), "37.5");
  await look(page, "committees-rules");
  await page.close();
  host.clean();
});

test("the host chooses whose gifts a rally takes", async () => {
  const page = await host.open(`${made.studio}/edit`);
  await page.selectOption("#committee", { label: "Vega Victory Fund" });
  await look(page, "committees-rally");
  await page.click("button:has-text('Save')");
  await page.waitForURL(/done=revised/);
  await page.close();
  host.clean();
});

test("a donor reads the formula, sees the parts before the card, and has them on the receipt", async () => {
  const donor = await Person.come(server, { viewport: { width: 390, height: 844 } });
  const page = await donor.open(`${made.href}/donate`);
  await page.getByText("Your gift to Vega Victory Fund is shared: 62.5\u00a0% to Vega for Ohio and 37.5\u00a0% to Ohio State Party.").waitFor();
  await look(page, "committees-donate");
  await pledge(page, { amount: "250" });
  // The campaign may take $100 of it alone.
  await page.getByText("It is shared: $100.00 to Vega for Ohio and $150.00 to Ohio State Party.").waitFor();
  await look(page, "committees-card");
  await page.click("button:has-text('Donate $250')");
  await page.getByText("Of it for Ohio State Party").waitFor();
  await look(page, "committees-thanks");
  await donor.leave();
});

test("finance sees whose money lies where", async () => {
  const page = await host.open("/finance");
  const line = page.locator("tr", { hasText: "Vega Victory Fund" }).first();
  assert.match(await line.innerText(), /\$250\.00/);
  const party = page.locator("[aria-label='Money by committee'] tr", { hasText: "Ohio State Party" });
  assert.match(await party.innerText(), /\$150\.00/);
  await look(page, "committees-finance");
  await page.goto(`${server.url}/finance/reconciliation`);
  await look(page, "committees-reconciliation");
  host.clean();
  await page.close();
});
