// Programs that read the ledger, and programs that are told: finance makes a token, adds a receiver, sees that it takes nothing
// and that it does again, on a phone and on a desk, by keyboard and by mouse.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before } from "node:test";
import { look } from "./look.mjs";
import { Person, REFUSED_FORM, Server, closeBrowser, owner, pledge, rally, story, until } from "./kit.mjs";

const test = story();
let server;
let host;
let page;
let receiver;
let answers = 500;
const told = [];

before(async () => {
  server = await Server.start({ GROUNDSWELL_PRIVATE_WEBHOOKS: "true" });
  host = await owner(server);
  page = await host.open("/finance");
  receiver = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => { body += chunk; });
    request.on("end", () => {
      told.push(JSON.parse(body));
      response.writeHead(answers).end();
    });
  });
  await new Promise((done) => receiver.listen(0, "127.0.0.1", done));
});
after(async () => {
  receiver?.close();
  await host?.context.close();
  await closeBrowser();
  await server?.close();
});

const text = () => page.locator("main").textContent();

test("a token is made, shown once, and revoked", async () => {
  await page.click('a:has-text("Programs")');
  await look(page, "tokens-empty");
  await host.expecting(REFUSED_FORM, () => page.click('button:has-text("Make it")'));
  assert.match(await text(), /Say which program it is for/);
  await look(page, "tokens-errors");
  await page.locator("#name").focus();
  await page.keyboard.type("Data warehouse of the committee");
  for (const scope of ["donations", "donors"]) await page.check(`input[value=${scope}]`);
  await page.keyboard.press("Enter");
  await page.locator("text=it is not shown again").waitFor();
  const token = await page.inputValue("#secret");
  assert.match(token, /^gsw_[\w-]{43}$/);
  await look(page, "tokens-made");
  const rows = await fetch(`${server.url}/api/v1/donations?contact=true`, { headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual((await rows.json()).rows, []);
  await page.goto(`${server.url}/finance/tokens`);
  assert.match(await text(), /reads donations, donors/);
  assert.doesNotMatch(await page.content(), new RegExp(token));
  await look(page, "tokens");
  await page.click("summary:has-text('Revoke')");
  await page.click("details button");
  await page.locator("text=is refused from now on").waitFor();
  assert.equal((await fetch(`${server.url}/api/v1/donations`, { headers: { authorization: `Bearer ${token}` } })).status, 401);
  host.clean();
});

test("a receiver is added, and what is wrong with it is said", async () => {
  await page.goto(`${server.url}/finance`);
  await page.click('a:has-text("Webhooks")');
  await look(page, "webhooks-empty");
  await page.fill("#name", "CRM");
  await page.fill("#address", "crm.example.org/hooks");
  await page.fill("#password", "secret");
  await host.expecting(REFUSED_FORM, () => page.click('button:has-text("Add")'));
  assert.match(await text(), /Give the user name that the password is for/);
  assert.equal(await page.inputValue("#address"), "crm.example.org/hooks");
  assert.equal(await page.inputValue("#password"), "");
  await look(page, "webhooks-errors");
  await page.fill("#address", `http://127.0.0.1:${receiver.address().port}/hooks/donations?list=the-one-of-the-committee`);
  await page.check("#personal");
  await page.click('button:has-text("Add")');
  await page.locator("text=It is told what happens from now on").waitFor();
  await page.click('button:has-text("Show secret")');
  assert.match(await page.inputValue("#secret"), /^whsec_/);
  await look(page, "webhooks-secret");
  host.clean();
});

test("one that takes nothing is shown, and is told in the end", async () => {
  const made = await rally(host);
  const donor = await Person.come(server);
  const form = await donor.open(`${made.href}/donate`);
  await pledge(form, { amount: "25" });
  await form.locator("#card-form").waitFor();
  await form.locator("input[value=simulated_ok]").check({ force: true });
  await form.click("#card-form button");
  await form.locator("h1:has-text('Thank you')").waitFor();
  await donor.leave();
  await until("it fails", async () => {
    await page.goto(`${server.url}/finance/webhooks`);
    return /It answers 500\. Tried (once|\d+ times)/.test(await text());
  });
  assert.match(await text(), /1 message waits/);
  await page.click("summary:has-text('More')");
  await look(page, "webhooks-failing");
  answers = 204;
  await until("it is told", async () => {
    await page.goto(`${server.url}/finance/webhooks`);
    return /Last took one/.test(await text());
  }, { within: 60_000 });
  await look(page, "webhooks");
  assert.equal(told.at(-1).type, "donation.settled");
  assert.equal(told.at(-1).mode, "simulated");
  await page.click("summary:has-text('More')");
  const seen = told.length;
  await page.fill("input[name=from]", "1");
  await page.click('button[value=replay]');
  await page.locator("text=Receivers know repeats by their id").waitFor();
  await until("it comes again", async () => told.length > seen);
  await page.click("summary:has-text('More')");
  await page.click('button[value=remove]');
  await page.locator("text=Removed: nothing is sent there any more").waitFor();
  host.clean();
});
