// A long evening of money: donors who give over HTTP, a bank whose webhooks come twice, late, in any order or not at all and which has a bad
// minute, and a server that is killed again and again. In the end the ledger must be the bank's own books, to the cent.
//   node tests/long/money.mjs [--donations 20000] [--minutes 10] [--kills 5] [--rate 100 charges a second]
// Ends with a record in lines that begin with `# `, and with status 1 where the books differ.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { BINARY, PASSWORD, RALLY, Server, sleep, until } from "../browser/kit.mjs";
import { Bank } from "./bank.mjs";

const program = promisify(execFile);
/** Donors who are under way at the same time; those who come later wait at the door. */
const UNDER_WAY_MAX = 300;
/** A donor who gets no answer tries again for so long. */
const PATIENCE_MS = 120_000;
/** The bank's bad minute, or an eighth of a short evening. */
const OUTAGE_MS = 60_000;
/** One donor in so many gets their money back, and one in so many has a card without money first. */
const REFUND_EACH = 97;
const DECLINE_EACH = 19;

const percentile = (list, part) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * part))] ?? 0;
const cents = (decimal) => {
  const [, sign, whole, part] = /^(-?)(\d+)\.(\d\d)$/.exec(decimal) ?? assert.fail(`not an amount: ${decimal}`);
  return (sign ? -1 : 1) * (Number(whole) * 100 + Number(part));
};

/** The rows of a CSV file with a header, quoted where they must be. */
function rowsOf(text) {
  const rows = [];
  let [row, field, quoted] = [[], "", false];
  const end = () => { row.push(field); field = ""; };
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted) {
      if (char !== '"') field += char;
      else if (text[at + 1] === '"') { field += char; at += 1; } else quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === ",") end();
    else if (char === "\n") { end(); rows.push(row); row = []; } else if (char !== "\r") field += char;
  }
  const [header, ...rest] = rows;
  return rest.map((values) => Object.fromEntries(header.map((name, index) => [name, values[index]])));
}

class Evening {
  constructor(server, bank) {
    Object.assign(this, { server, bank, agent: new http.Agent({ keepAlive: true, maxSockets: 128 }), retries: 0, answers: [], states: {}, restarts: [] });
  }

  ask(method, address, headers = {}, body = "") {
    return new Promise((done, failed) => {
      const request = http.request(new URL(address, this.server.url), { method, agent: this.agent, headers: { "content-length": Buffer.byteLength(body), ...headers } }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => done({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() }));
        response.on("error", failed);
      });
      request.setTimeout(40_000, () => request.destroy(new Error("no answer")));
      request.on("error", failed);
      request.end(body);
    });
  }

  /** The same again until somebody answers, as a donor's browser or hand does it. */
  async insist(method, address, headers, body) {
    for (const end = Date.now() + PATIENCE_MS; ;) {
      const answer = await this.ask(method, address, headers, body).catch(() => null);
      if (answer && answer.status < 500) return answer;
      assert(Date.now() < end, `${method} ${address}: no answer in ${PATIENCE_MS / 1000} s (${answer?.status} ${answer?.text.slice(0, 200)})`);
      this.retries += 1;
      await sleep(300 + Math.random() * 700);
    }
  }

  async donor(number) {
    const forwarded = { "x-forwarded-for": `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}` };
    const amount = 500 + ((number * 7919) % 20_000);
    const person = {
      first_name: "Joan", last_name: `Petrie ${number}`, email: `d${number}@petrie.example`, address: `${number} Elm Street`, city: "Toledo", region: "OH", postal: "43604",
      country: "US", employer: "Toledo Schools", occupation: "Teacher", show_as: "full",
    };
    const form = new URLSearchParams({ amount: "other", amount_other: `${Math.floor(amount / 100)}.${String(amount % 100).padStart(2, "0")}`, ...person, form_token: `t${number}` });
    for (const attest of ["us-person-1", "own-funds-1", "own-card-1", "not-contractor-1", "adult-1"]) form.append("attest", attest);
    const begun = performance.now();
    const pledged = await this.insist("POST", `/r/${RALLY.slug}/donate`, { ...forwarded, "content-type": "application/x-www-form-urlencoded" }, form.toString());
    assert.equal(pledged.status, 303, `donor ${number}: ${pledged.text.slice(0, 300)}`);
    const donation = pledged.headers.location;
    const pay = async (method) => {
      const answer = await this.insist("POST", `${donation}/pay`, { ...forwarded, "content-type": "application/json" }, JSON.stringify({ method }));
      // Another card has to wait for the first one's outcome.
      if (answer.status === 409) return "refused";
      assert.equal(answer.status, 200, `donor ${number} pays: ${answer.text.slice(0, 300)}`);
      return JSON.parse(answer.text).state;
    };
    let state;
    if (number % DECLINE_EACH === 0) {
      // Their first card has no money, and they come back with another until it is taken.
      await pay(`pm_declined_${number}`);
      while ((state = await pay(`pm_ok_${number}`)) === "refused") await sleep(2_000);
    } else {
      state = await pay(`pm_ok_${number}`);
      this.answers.push(performance.now() - begun);
    }
    this.states[state] = (this.states[state] ?? 0) + 1;
    assert(["settled", "processing", "line"].includes(state), `donor ${number} is told ${state}`);
    // Some look at their page until it says how it went; most close it.
    for (let looks = 0; state !== "settled" && number % 5 === 0 && looks < 5; looks += 1) {
      await sleep(2_000);
      const page = await this.insist("GET", donation, forwarded);
      assert.equal(page.status, 200, `donor ${number} looks: ${page.status}`);
      if (/Thank you/.test(page.text)) break;
    }
    if (number % REFUND_EACH === 0 && state === "settled") await this.refund(donation.split("/").pop());
  }

  /** The owner's session, which every restart keeps. */
  async signIn() {
    const form = new URLSearchParams({ name: "Hana Okafor", email: "host@vega.example", password: PASSWORD }).toString();
    const answer = await this.ask("POST", this.server.firstLink, { "content-type": "application/x-www-form-urlencoded" }, form);
    assert.equal(answer.status, 303, answer.text);
    this.cookie = answer.headers["set-cookie"][0].split(";")[0];
    const page = await this.ask("GET", "/host", { cookie: this.cookie });
    this.csrf = /name="csrf" value="([^"]+)"/.exec(page.text)[1];
  }

  staff(address, form) {
    const body = new URLSearchParams({ csrf: this.csrf, ...form }).toString();
    return this.insist("POST", address, { cookie: this.cookie, "content-type": "application/x-www-form-urlencoded" }, body);
  }

  async refund(id) {
    const question = await this.staff(`/finance/donations/${id}/refund`, {});
    const field = (name) => new RegExp(`name="${name}" value="([^"]+)"`).exec(question.text)[1];
    const answer = await this.staff(`/finance/donations/${id}/refund`, { refund: field("refund"), amount: field("amount") });
    assert.equal(answer.status, 303, answer.text.slice(0, 300));
  }

  async kill() {
    await this.server.stop("SIGKILL");
    const begun = performance.now();
    await this.server.run();
    this.restarts.push(performance.now() - begun);
  }

  command(...args) {
    return program(BINARY, [...args, "--data", path.join(this.server.folder, "data")], { maxBuffer: 256 * 1024 * 1024 });
  }

  async exported() {
    const rows = rowsOf((await this.command("export", "csv")).stdout);
    assert.equal(rows.pop().kind, "ledger head");
    return rows;
  }
}

/** Where the ledger's file and the bank's books differ. */
function differences(rows, books) {
  const wrong = [];
  const [payments, refunds] = [new Map(books.payments), new Map(books.refunds)];
  for (const row of rows) {
    const [kept, id] = row.kind === "donation" ? [payments, row.payment] : [refunds, row.refund];
    const theirs = kept.get(id);
    if (!theirs) { wrong.push(`${row.kind} ${id} is booked, and the bank does not have it, or has it once`); continue; }
    kept.delete(id);
    const expected = row.kind === "donation" ? theirs.amount : -theirs.amount;
    if (cents(row.amount) !== expected) wrong.push(`${id}: ${row.amount} is booked, and the bank has ${expected} cents`);
    if (row.kind === "donation" && (row.fee === "" || cents(row.fee) !== books.feeOf(theirs))) wrong.push(`${id}: the fee is booked as “${row.fee}”, and is ${books.feeOf(theirs)} cents`);
    if (row.kind === "donation" && theirs.donation !== row.donation) wrong.push(`${id} is booked for another donation`);
  }
  for (const id of [...payments.keys(), ...refunds.keys()]) wrong.push(`${id} is the bank's, and is not booked`);
  return wrong;
}

/** The evening; gives its record, line by line. */
export async function evening({ donations, minutes, kills, rate = 100, say = () => {} }) {
  const bank = await Bank.open();
  const server = await Server.start(bank.env(rate));
  const them = new Evening(server, bank);
  const closing = [() => them.agent.destroy(), () => bank.close()];
  try {
    bank.to = server.url;
    await them.signIn();
    assert.equal((await them.staff("/host/new", { ...RALLY, goal: "2000000" })).status, 303);
    const long = minutes * 60_000;
    const outage = Math.min(OUTAGE_MS, long / 8);
    const begun = Date.now();
    const at = (part) => sleep(begun + long * part - Date.now());
    const trouble = (async () => {
      // Before the last kills: what they left is taken up while the evening goes on.
      await at(0.35);
      bank.fails = true;
      say("the bank fails");
      await sleep(outage);
      bank.fails = false;
      say("the bank works again");
    })();
    const killing = (async () => {
      for (let number = 0; number < kills; number += 1) {
        await at((number + 1) / (kills + 1) + 0.05);
        await them.kill();
        say(`killed, and back after ${Math.round(them.restarts.at(-1))} ms`);
      }
    })();
    const underWay = new Set();
    let late = 0;
    for (let number = 1; number <= donations; number += 1) {
      const due = begun + (long * number) / donations;
      if (due > Date.now()) await sleep(due - Date.now());
      if (underWay.size >= UNDER_WAY_MAX) { late += 1; await Promise.race(underWay); }
      const donor = them.donor(number);
      underWay.add(donor);
      donor.finally(() => underWay.delete(donor)).catch(() => {});
      if (number % 1000 === 0) say(`${number} donors came, ${underWay.size} are under way, the bank took ${bank.counts.charges} charges`);
    }
    const came = (Date.now() - begun) / 1000;
    await Promise.all([...underWay, trouble, killing]);
    say("everybody has an answer");
    const raised = async () => JSON.parse((await them.insist("GET", `/r/${RALLY.slug}/live.json`, {})).text).raised_minor;
    // Whatever had no clear answer is asked for again, until every donor's gift is taken: one each.
    await until("every gift is taken", () => bank.books().payments.size >= donations, { within: 240_000, every: 500 });
    const taken = (Date.now() - begun) / 1000;
    await Promise.all(bank.onTheWay);
    const before = await raised();
    const told = (await them.command("reconcile")).stdout.trim();
    say(told);
    const books = bank.books();
    await until("the total is the bank's", async () => (await raised()) === books.gross - books.refunded, { within: 60_000, every: 500 });
    let rows;
    await until("every fee is known", async () => {
      rows = await them.exported();
      return rows.every((row) => row.kind !== "donation" || row.fee !== "");
    }, { within: 120_000, every: 1_000 });
    const wrong = differences(rows, books);
    assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} differences`);
    const sum = (kind, of) => rows.filter((row) => row.kind === kind).reduce((total, row) => total + of(row), 0);
    const [gross, refunded, fees] = [sum("donation", (row) => cents(row.amount)), -sum("refund", (row) => cents(row.amount)), sum("donation", (row) => cents(row.fee))];
    assert.deepEqual([gross, refunded, fees], [books.gross, books.refunded, books.fees]);
    assert.equal(new Set(rows.filter((row) => row.kind === "donation").map((row) => row.donation)).size, donations, "each donor gave once");
    assert.doesNotMatch(server.child.said, /panicked/);
    await server.stop();
    const verified = (await them.command("verify")).stdout.trim().split("\n").at(-1);
    assert.match(verified, /^[0-9a-f]{64}$/);
    const { counts } = bank;
    const money = (amount) => `$${(amount / 100).toFixed(2)}`;
    return [
      `${donations} donations in ${came.toFixed(0)} s (${(donations / came).toFixed(1)} a second), all taken after ${taken.toFixed(0)} s; ${kills} kills, back after ${them.restarts.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(", ")}`,
      `donors: ${Object.entries(them.states).map(([state, count]) => `${count} ${state}`).join(", ")}; from form to answer ${percentile(them.answers, 0.5).toFixed(0)} ms median, ${percentile(them.answers, 0.99).toFixed(0)} ms p99; ${them.retries} requests sent again, ${late} came late`,
      `the bank: ${counts.charges} charges, ${counts.repeats} repeated keys, ${counts.declines} declines, ${books.refunds.size} refunds, ${counts.looks} look-ups, ${counts.lists} pages of its list; most charges in a second ${bank.busiest.most} at a rate of ${rate}`,
      `its bad ${(outage / 1000).toFixed(0)} s: ${counts.failed} calls failed, ${counts.actedAndFailed} of them after it acted; webhooks of ${bank.events.length} events: ${counts.dropped} never sent, ${counts.sent} copies taken, ${counts.refused} given up`,
      `before reconciling ${money(before)} of ${money(books.gross - books.refunded)}; ${told}`,
      `ledger and bank: gross ${money(gross)}, refunds ${money(refunded)}, fees ${money(fees)}, ${books.payments.size} payments and ${books.refunds.size} refunds each by name and amount: equal to the cent; log verified, head ${verified.slice(0, 16)}…`,
    ];
  } catch (error) {
    say(server.child.said.slice(-4000));
    throw error;
  } finally {
    for (const close of closing) await close();
    if (!server.child.gone) await server.stop();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: {
    donations: { type: "string", default: "20000" }, minutes: { type: "string", default: "10" }, kills: { type: "string", default: "5" }, rate: { type: "string", default: "100" },
  } });
  const given = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));
  const record = await evening({ ...given, say: (text) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`) });
  for (const line of record) console.log(`# ${line}`);
}
