// A report to the FEC as the finance lead makes it: who files, what is to be looked at first, the file, and a large gift that is due.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { look } from "./look.mjs";
import { Person, REFUSED_FORM, Server, closeBrowser, owner, pledge, rally, story } from "./kit.mjs";

const test = story();
let server;
let host;
let made;

before(async () => {
  server = await Server.start();
  host = await owner(server);
  made = await rally(host);
});
after(async () => {
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

async function gives(other, change) {
  const donor = await Person.come(server);
  const page = await donor.open(`${made.href}/donate`);
  await pledge(page, { amount: "other", other, ...change });
  await page.click("button:has-text('Donate $')");
  await page.getByText("Thank you").first().waitFor();
  await donor.leave();
}

test("who files is written once, and what was typed is kept where it is wrong", async () => {
  const page = await host.open("/finance/filing");
  await look(page, "filing-nobody");
  await page.getByRole("link", { name: "Write who files" }).click();
  const fields = {
    id: "C0012", name: "Vega for Ohio", street: "1 Capitol Square", city: "Columbus", state: "OH", zip: "43215",
    treasurer_first: "Pat", treasurer_last: "O’Neil", candidate_first: "Marisol", candidate_last: "Vega", candidate_id: "S6OH00301", candidate_state: "OH",
    election_code_1: `G${new Date(Date.now() + 10 * 86_400_000).getFullYear()}`, election_date_1: day(10), election_state_1: "OH",
    payee_name: "Stripe, Inc.", payee_street: "354 Oyster Point Boulevard", payee_city: "South San Francisco", payee_state: "CA", payee_zip: "94080",
  };
  for (const [id, value] of Object.entries(fields)) await page.fill(`#${id}`, value);
  await page.check("input[name=form][value=F3]");
  await page.selectOption("#office", "S");
  await host.expecting(REFUSED_FORM, () => page.click("button:has-text('Save')"));
  await page.getByText("Write the committee’s id as C and eight digits.").waitFor();
  assert.equal(await page.inputValue("#payee_street"), "354 Oyster Point Boulevard");
  await look(page, "filing-filer-wrong");
  await page.fill("#id", "C00123456");
  await page.click("button:has-text('Save')");
  await page.getByText("Saved: reports name it from now on.").waitFor();
  await look(page, "filing-filer");
  await page.close();
  host.clean();
});

test("a report is looked at, and its file taken", async () => {
  await gives("150", {});
  await gives("75.25", {});
  await gives("1000", { first_name: "🎉", last_name: "حداد", email: "layla@petrie.example", address: "5 Other Street", employer: "-" });
  const page = await host.open("/finance");
  await page.getByRole("link", { name: "FEC reports" }).click();
  await page.selectOption("#code", "YE");
  await page.fill("#from", `${new Date().getFullYear()}-01-01`);
  await page.fill("#to", `${new Date().getFullYear()}-12-31`);
  await page.fill("#cash", "1000");
  await page.click("button:has-text('Prepare')");
  await page.getByRole("heading", { name: /^YE,/ }).waitFor();
  await page.getByText("Itemized", { exact: true }).waitFor();
  await page.getByText("$1,075.25").first().waitFor();
  await page.getByText("file now").waitFor();
  // What is missing is told with whose line it is: a dash is no employer, and a picture no name.
  await page.getByText("Hdd, Not legible").first().waitFor();
  await page.getByText(/employer field is blank/).waitFor();
  await look(page, "filing-report");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download the file" }).click()]);
  assert.match(download.suggestedFilename(), /^C00123456-F3-YE-\d{4}-12-31\.fec$/);
  const file = readFileSync(await download.path(), "latin1");
  assert.match(file, /^HDR\x1cFEC\x1c8\.5\x1cGroundswell/);
  assert.match(file, /SIMULATED MONEY/);
  assert.equal(file.match(/\r\nSA11AI/g).length, 2);
  await page.fill("#notice_from", day(-1));
  await page.fill("#notice_to", day(1));
  const [notice] = await Promise.all([page.waitForEvent("download"), page.click("button:has-text('Download the notice')")]);
  assert.match(readFileSync(await notice.path(), "latin1"), /\r\nF65\x1cC00123456\x1cA\d+\x1cIND/);
  await page.close();
  host.clean();
});

test("what can't be made is said beside the field", async () => {
  const page = await host.open("/finance/filing");
  await page.selectOption("#code", "12G");
  await host.expecting(REFUSED_FORM, () => page.click("button:has-text('Prepare')"));
  await page.locator("#election-error").waitFor();
  await page.locator("#from-error").waitFor();
  assert.equal(await page.inputValue("#code"), "12G");
  await look(page, "filing-wrong");
  await page.goto(`${server.url}/finance/exports`);
  await page.getByRole("link", { name: "Prepare Report to the FEC" }).waitFor();
  await look(page, "filing-exports");
  await page.close();
  host.clean();
});
