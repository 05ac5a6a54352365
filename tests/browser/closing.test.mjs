// What an auditor asks for: a period that is closed and amended, a refund that two people decide, and who looked at whose data.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import path from "node:path";
import { after, before } from "node:test";
import { look } from "./look.mjs";
import { BINARY, PASSWORD, Person, REFUSED_FORM, Server, closeBrowser, owner, pledge, rally, story } from "./kit.mjs";

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

async function gives(other, change) {
  const donor = await Person.come(server);
  const page = await donor.open(`${made.href}/donate`);
  await pledge(page, { amount: "other", other, ...change });
  await page.click("button:has-text('Donate $')");
  await page.getByText("Thank you").first().waitFor();
  await donor.leave();
}

async function files() {
  const page = await host.open("/finance/filer");
  const fields = {
    id: "C00123456", name: "Great Lakes Action PAC", street: "1 Capitol Square", city: "Columbus", state: "OH", zip: "43215",
    treasurer_first: "Pat", treasurer_last: "O’Neil",
    payee_name: "Stripe, Inc.", payee_street: "354 Oyster Point Boulevard", payee_city: "South San Francisco", payee_state: "CA", payee_zip: "94080",
  };
  for (const [id, value] of Object.entries(fields)) await page.fill(`#${id}`, value);
  await page.check("input[name=form][value=F3X]");
  await page.click("button:has-text('Save')");
  await page.getByText("Saved: reports name it from now on.").waitFor();
  await page.close();
}

test("a period is closed with its report, and what comes later goes into an amendment", async () => {
  await files();
  await gives("300", {});
  const page = await host.open("/finance/periods");
  await page.getByText("None is closed yet.").waitFor();
  await look(page, "periods-none");
  await page.getByRole("link", { name: "FEC reports" }).click();
  await page.selectOption("#code", "YE");
  const year = new Date().getFullYear();
  await page.fill("#from", `${year}-01-01`);
  await page.fill("#to", `${year}-12-31`);
  await page.fill("#cash", "1000");
  await page.click("button:has-text('Prepare')");
  await page.fill("#note", "agreed with the bank");
  await host.expecting(REFUSED_FORM, () => page.click("button:has-text('Close the period')"));
  await page.getByText(/The period is not over/).first().waitFor();
  assert.equal(await page.inputValue("#note"), "agreed with the bank");
  await look(page, "filing-close-early");
  await page.check("#early");
  await page.click("button:has-text('Close the period')");
  await page.getByText("these days are what they were").waitFor();
  await look(page, "period-closed");

  await gives("450", { first_name: "Omar", email: "omar@example.org", address: "7 Other Street" });
  await page.reload();
  await page.getByText("A gift came in").waitFor();
  await page.fill("#filing", "FEC-1234567");
  await page.click("button:has-text('Mark as filed')");
  await page.getByText("Noted: what comes later is an amendment’s.").waitFor();
  await look(page, "period-filed");
  await page.fill("#note", "a gift was late");
  await page.click("button:has-text('Make the amendment')");
  await page.getByText("amendment 1, to be filed").waitFor();
  await look(page, "period-amended");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download the report" }).click()]);
  assert.match(download.suggestedFilename(), /^C00123456-F3X-YE-\d{4}-12-31\.fec$/);
  await page.getByRole("link", { name: "Closed periods" }).click();
  await look(page, "periods");
  await page.close();
});

test("a large refund waits for a second person", async () => {
  await gives("2500", { first_name: "Lena", email: "lena@example.org", address: "9 Third Street" });
  const second = ["staff", "add", "--email", "sam@example.org", "--name", "Sam Roe", "--role", "finance", "--data", path.join(server.folder, "data")];
  execFileSync(BINARY, second, { input: `${PASSWORD}\n` });
  const page = await host.open("/finance");
  await page.locator("tr", { hasText: "$2,500.00" }).getByRole("button", { name: /^Refund/ }).first().click();
  await page.getByText("More than $1,000 of one donation").waitFor();
  await look(page, "refund-question");
  await page.fill("#reason", "asked by letter of November 3");
  await page.click("button:has-text('Ask a second person')");
  await page.getByText("You asked for it: somebody else").waitFor();
  await look(page, "refund-waits");
  await page.goto(`${server.url}/finance/refunds`);
  await look(page, "refunds");
  await page.goto(`${server.url}/finance/rules#refunds`);
  await page.getByText("A second person approves refunds above").waitFor();
  await page.close();
});

test("who looked at personal data is listed", async () => {
  const page = await host.open("/finance/access");
  await page.getByRole("heading", { name: "Who looked at personal data" }).waitFor();
  await look(page, "access");
  await page.selectOption("#what", "refund");
  await page.click("button:has-text('Show')");
  await page.locator("tbody").getByText("A refund’s question").first().waitFor();
  await page.close();
  host.clean();
});
