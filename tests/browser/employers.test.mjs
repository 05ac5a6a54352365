// Donors who leave out whom they work for: the finance lead finds them, asks by letter and on the phone, and writes down an answer;
// a donor follows the letter's link and fills it in.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { look } from "./look.mjs";
import { Person, REFUSED_FORM, Server, closeBrowser, installed, owner, pledge, program, rally, story, until } from "./kit.mjs";

const test = story();
const DONORS = [
  { first_name: "Ruth", last_name: "Abernathy-Washington", email: "ruth.abernathy@washington.example", employer: "n/a", occupation: "Nurse" },
  { first_name: "ליאת", last_name: "כהן־אברמוביץ׳", email: "liat@cohen.example", employer: "requested", occupation: "none" },
  { first_name: "Ada", last_name: "Ng", email: "ada@ng.example", employer: "-", occupation: "-" },
];
let letters;
let mail;
let server;
let host;
let made;
let finance;

before(async () => {
  letters = mkdtempSync(path.join(os.tmpdir(), "groundswell-letters-"));
  mail = program(installed("python3"), ["tests/support/mail_server.py", letters]);
  const port = await until("the mail server listens", () => /^(\d+)/.exec(mail.said)?.[1]);
  server = await Server.start({ GROUNDSWELL_MAIL_SMTP: `smtp://127.0.0.1:${port}`, GROUNDSWELL_MAIL_FROM: "gifts@vega.example" });
  host = await owner(server);
  made = await rally(host);
  finance = await host.open("/finance/employers");
});
after(async () => {
  await host?.context.close();
  await closeBrowser();
  await server?.close();
  await mail?.stop();
  rmSync(letters, { recursive: true, force: true });
});

const text = (page) => page.locator("main").textContent();
const ofRuth = () => finance.locator("li", { hasText: "Ruth Abernathy" });

/** The letters that came, as text. */
const came = () => readdirSync(letters).filter((name) => name.endsWith(".json")).map((name) => JSON.parse(readFileSync(path.join(letters, name), "utf8")).parts[0].content);

test("before somebody files, nobody is named in a report", async () => {
  assert.match(await text(finance), /Write who files, and this page lists those/);
  await look(finance, "employers-no-filer");
  await finance.getByRole("link", { name: "Write who files" }).click();
  const fields = { id: "C00234567", name: "Great Lakes PAC", street: "1 Capitol Avenue", city: "Lansing", state: "MI", zip: "48933", treasurer_first: "Pat", treasurer_last: "O’Neil" };
  for (const [id, value] of Object.entries(fields)) await finance.fill(`#${id}`, value);
  await finance.check("input[name=form][value=F3X]");
  await finance.click("button:has-text('Save')");
  await finance.getByText("Saved: reports name it from now on.").waitFor();
  await finance.goto(`${server.url}/finance/employers`);
  assert.match(await text(finance), /Nobody: every donor whom a report names wrote both/);
  await look(finance, "employers-empty");
  host.clean();
});

test("who gave more than $200 without an employer is listed, and written to", async () => {
  for (const [at, who] of DONORS.entries()) {
    const donor = await Person.come(server);
    const page = await donor.open(`${made.href}/donate`);
    await pledge(page, { amount: "other", other: String(250 + at), ...who, address: `${at} Elm Street` });
    await page.click("button:has-text('Donate $')");
    await page.getByText("Thank you").first().waitFor();
    await donor.leave();
  }
  await finance.goto(`${server.url}/finance`);
  await finance.click('a:has-text("Missing employers")');
  await finance.locator("h2:has-text('Ruth Abernathy-Washington')").waitFor();
  assert.match(await ofRuth().textContent(), /Left out: employer\.\s+Ask by/);
  await ofRuth().locator('button:has-text("Take it")').click();
  await finance.getByText("Noted: the list says who has it.").waitFor();
  assert.match(await ofRuth().textContent(), /You have it\./);
  await look(finance, "employers-list");
  // The list of all work has them too, each with its day.
  await finance.goto(`${server.url}/finance/work`);
  assert.match(await text(finance), /Missing employer: Ruth Abernathy-Washington\s+You have it\./);
  assert.equal(await finance.locator("ul.work > li time").count(), DONORS.length);
  await look(finance, "work-employers");
  await finance.locator("li", { hasText: "Ruth" }).locator("h3 a").click();
  await finance.locator("h2:has-text('Ruth Abernathy-Washington')").waitFor();
  await ofRuth().locator('button:has-text("Send the letter")').click();
  await finance.getByText("The letter goes out now.").waitFor();
  assert.match(await ofRuth().textContent(), /A letter was asked for on .* by /);
  host.clean();
});

test("the letter leads to a page where the donor fills it in", async () => {
  const link = await until("the letter comes", () => came().map((letter) => /http\S+\/answer\/\S+/.exec(letter)?.[0]).find(Boolean));
  const donor = await Person.come(server);
  const page = await donor.open(new URL(link).pathname);
  await look(page, "answer");
  await page.fill("#occupation", "n/a");
  await donor.expecting(REFUSED_FORM, () => page.click("button:has-text('Save')"));
  await page.getByText("2 things need another look").waitFor();
  assert.equal(await page.inputValue("#occupation"), "n/a");
  await look(page, "answer-wrong");
  await page.fill("#employer", "St. Luke’s Hospital");
  await page.fill("#occupation", "Nurse");
  await page.click("button:has-text('Save')");
  await page.getByText("its record is complete").waitFor();
  await look(page, "answer-done");
  donor.clean();
  await donor.leave();
  await finance.goto(`${server.url}/finance/employers`);
  assert.match(await ofRuth().textContent(), /Answered on .*, by the donor/);
});

test("a call is noted, and an answer of nothing comes back with its form", async () => {
  const liat = finance.locator("li", { hasText: "ליאת" });
  await liat.locator("summary").first().click();
  await liat.locator("label:has-text('By phone')").click();
  await liat.locator('button:has-text("Note it")').click();
  await finance.getByText("reports say from now on that you asked").waitFor();
  assert.match(await liat.textContent(), /Asked by phone on/);
  await liat.locator("summary").nth(1).click();
  await liat.locator("input[name=employer]").fill("none");
  await liat.locator("input[name=occupation]").fill("Teacher");
  await host.expecting(REFUSED_FORM, () => liat.locator('button:has-text("Save")').click());
  await finance.getByText("Write whom you work for").waitFor();
  await look(finance, "employers-refused");
  assert.equal(await liat.locator("input[name=occupation]").inputValue(), "Teacher");
  await liat.locator("input[name=employer]").fill("Duluth Schools");
  await liat.locator('button:has-text("Save")').click();
  await finance.getByText("reports and files have it from now on").waitFor();
  await look(finance, "employers-answered");
  host.clean();
});
