// A bank in Stripe's clothes, for runs with money: it takes what a card gives once a key, keeps books of its own, lists its events, and
// sends them as its post does: twice, in any order, late, a third never. It can have a bad minute, in which it answers nothing or 500,
// before or after it acted. The stand-in of Stripe's own page (tests/support/checkout_stand_in.py) is another one: it minds every
// parameter, and is never asked for hundreds of payments a second.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import http from "node:http";

/** What a card costs: 2.9 % and 30 cents. */
const feeOf = (amount) => Math.round(amount * 0.029) + 30;
/** Stripe's own words for a card that has nothing. */
const NO_MONEY = { type: "card_error", code: "card_declined", decline_code: "insufficient_funds", message: "Your card has insufficient funds." };
/** As much of Stripe's script as a card step needs: a card field, a token for it, and the bank's question, which is agreed to at once. */
const SCRIPT = `window.Stripe = () => ({
  elements: () => ({ create: () => ({ mount: (place) => { place.innerHTML = '<input placeholder="number">'; }, on: () => {} }) }),
  createPaymentMethod: async () => ({ paymentMethod: { id: "pm_" + (document.querySelector("[placeholder=number]").value || "ok") } }),
  confirmCardPayment: async (secret) => { window.bankAsked = (window.bankAsked ?? 0) + 1; await fetch("ORIGIN/answer/" + secret.replace("_secret", ""), { method: "POST" }); return {}; },
});`;
/** The same with the Payment Element and its token for all that is typed in; what it was asked for stands in `window.element`. */
export const ELEMENT = `window.Stripe = () => {
  const typed = () => document.querySelector("[placeholder=anything]").value;
  return {
    elements: (options) => ({
      create: (kind, more) => { window.element = { options, kind, more }; return { mount: (place) => { place.innerHTML = '<input placeholder="anything">'; }, on: () => {} }; },
      submit: async () => (typed() ? {} : { error: { message: "Your card number is incomplete." } }),
    }),
    createConfirmationToken: async ({ elements }) => (elements ? { confirmationToken: { id: "ctoken_" + typed() } } : { error: {} }),
    handleNextAction: async ({ clientSecret }) => { window.bankAsked = (window.bankAsked ?? 0) + 1; await fetch("ORIGIN/answer/" + clientSecret.replace("_secret", ""), { method: "POST" }); return {}; },
  };
};`;
/** How long a copy of an event is on its way. */
const LATE_MS = 8_000;

export class Bank {
  /** `takesMs` is a call's time; `lost`, `twice` and `late` are parts of all events. */
  static async open({ takesMs = [40, 120], lost = 1 / 3, twice = 1 / 3, late = 0.2, secret = "whsec_test_money", seed = 1, script = SCRIPT } = {}) {
    const bank = Object.assign(new Bank(), { takesMs, lost, twice, late, secret, script, state: seed });
    bank.payments = new Map();
    bank.refunds = new Map();
    bank.keys = new Map();
    bank.events = [];
    bank.counts = { charges: 0, repeats: 0, declines: 0, looks: 0, lists: 0, failed: 0, actedAndFailed: 0, sent: 0, dropped: 0, refused: 0 };
    bank.busiest = { second: 0, calls: 0, most: 0 };
    bank.fails = false;
    bank.server = http.createServer({ keepAlive: true }, (request, response) => void bank.take(request, response));
    bank.server.keepAliveTimeout = 60_000;
    bank.server.listen(0, "127.0.0.1");
    await new Promise((done) => bank.server.once("listening", done));
    bank.base = `http://127.0.0.1:${bank.server.address().port}`;
    bank.agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
    bank.onTheWay = new Set();
    return bank;
  }

  /** A number from 0 to 1: the same run has the same ones, as far as its calls come in the same order. */
  chance() {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return this.state / 2 ** 32;
  }

  env(callsPerSecond) {
    return {
      GROUNDSWELL_PROCESSOR: "stripe", GROUNDSWELL_STRIPE_SECRET_KEY: "sk_test_12345", GROUNDSWELL_STRIPE_PUBLISHABLE_KEY: "pk_test_12345",
      GROUNDSWELL_STRIPE_WEBHOOK_SECRET: this.secret, GROUNDSWELL_STRIPE_API_BASE: this.base, GROUNDSWELL_STRIPE_SCRIPT_URL: `${this.base}/v3/`,
      GROUNDSWELL_STRIPE_CALLS_PER_SECOND: String(callsPerSecond),
    };
  }

  async take(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const url = new URL(request.url, this.base);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const [least, most] = this.takesMs;
    await new Promise((done) => setTimeout(done, least + this.chance() * (most - least)));
    // In a bad minute half of all calls act before they fail.
    const acts = !this.fails || this.chance() < 0.5;
    const answer = acts ? this.act(request.method, url, form, request.headers["idempotency-key"]) : null;
    if (this.fails) {
      this.counts.failed += 1;
      if (acts && request.method === "POST") this.counts.actedAndFailed += 1;
      const how = this.chance();
      if (how < 0.4) return void request.socket.destroy();
      // Longer than a caller should wait, or cut off in the middle.
      if (how < 0.5) return void setTimeout(() => request.socket.destroy(), 5_000);
      return this.answer(response, 500, { error: { type: "api_error", message: "Something went wrong on our end." } });
    }
    const [status, body] = answer;
    this.answer(response, status, body);
  }

  answer(response, status, body) {
    if (response.destroyed) return;
    const isScript = typeof body === "string";
    response.writeHead(status, { "content-type": isScript ? "text/javascript" : "application/json", "access-control-allow-origin": "*" });
    response.end(isScript ? body : JSON.stringify(body));
  }

  act(method, url, form, key) {
    if (key && this.keys.has(key)) {
      this.counts.repeats += 1;
      const kept = this.keys.get(key);
      if (kept.form !== form.toString()) return [400, { error: { type: "idempotency_error", message: "Keys for idempotent requests can only be used with the same parameters." } }];
      return kept.answer;
    }
    const answer = this.actOnce(method, url, form);
    if (key) this.keys.set(key, { form: form.toString(), answer });
    return answer;
  }

  actOnce(method, url, form) {
    const [, , what, id] = url.pathname.split("/");
    if (url.pathname === "/v3/") return [200, this.script.replace("ORIGIN", this.base)];
    if (url.pathname.startsWith("/answer/")) return this.agree(what);
    if (method === "POST" && what === "payment_intents" && !id) return this.charge(form);
    if (method === "GET" && what === "payment_intents") {
      this.counts.looks += 1;
      const found = this.payments.get(id);
      return found ? [200, this.intent(found)] : [404, { error: { type: "invalid_request_error", code: "resource_missing" } }];
    }
    if (method === "POST" && what === "refunds") return this.refund(form);
    if (method === "GET" && what === "events") return this.list(url.searchParams);
    return [404, { error: { type: "invalid_request_error", message: `no such address: ${method} ${url.pathname}` } }];
  }

  charge(form) {
    this.counts.charges += 1;
    const second = Math.floor(Date.now() / 1000);
    if (this.busiest.second !== second) Object.assign(this.busiest, { second, calls: 0 });
    this.busiest.calls += 1;
    this.busiest.most = Math.max(this.busiest.most, this.busiest.calls);
    const payment = {
      id: `pi_${this.payments.size + 1}`, amount: Number(form.get("amount")), currency: form.get("currency"), donation: form.get("metadata[donation]"),
      rally: form.get("metadata[rally]"), status: "succeeded",
    };
    assert(Number.isSafeInteger(payment.amount) && payment.amount > 0 && payment.donation, `a charge without an amount or a donation: ${form}`);
    const [token, method] = [form.get("confirmation_token"), form.get("payment_method")];
    assert((token === null) !== (method === null), `a charge takes one token: ${form}`);
    assert(token?.startsWith("ctoken_") ?? method.startsWith("pm_"), `not the token's own parameter: ${form}`);
    const means = (token ?? method).replace(/^(ctoken|pm)_/, "");
    payment.token = token ?? method;
    const declines = means.startsWith("declined");
    if (declines) payment.status = "requires_payment_method";
    if (means.startsWith("action")) payment.status = "requires_action";
    this.payments.set(payment.id, payment);
    if (declines) {
      this.counts.declines += 1;
      this.tell("payment_intent.payment_failed", this.intent(payment));
      return [402, { error: { ...NO_MONEY, payment_intent: this.intent(payment) } }];
    }
    if (payment.status === "succeeded") this.tell("payment_intent.succeeded", this.intent(payment, false));
    return [200, this.intent(payment)];
  }

  /** The donor answers the bank's question, in the bank's own window. */
  agree(id) {
    const payment = this.payments.get(id);
    if (payment?.status === "requires_action") {
      payment.status = "succeeded";
      this.tell("payment_intent.succeeded", this.intent(payment, false));
    }
    return [200, {}];
  }

  refund(form) {
    const payment = this.payments.get(form.get("payment_intent"));
    const amount = Number(form.get("amount"));
    const back = [...this.refunds.values()].filter((refund) => refund.payment_intent === payment?.id).reduce((sum, refund) => sum + refund.amount, 0);
    if (payment?.status !== "succeeded" || back + amount > payment.amount) return [400, { error: { type: "invalid_request_error", code: "charge_already_refunded" } }];
    const metadata = { donation: form.get("metadata[donation]"), refund: form.get("metadata[refund]") };
    const made = { id: `re_${this.refunds.size + 1}`, object: "refund", status: "succeeded", amount, currency: payment.currency, payment_intent: payment.id, metadata };
    this.refunds.set(made.id, made);
    this.tell("refund.created", made);
    return [200, made];
  }

  intent(payment, withFee = true) {
    const { id, status, amount, currency, donation, rally } = payment;
    const base = { id, object: "payment_intent", status, amount, currency, metadata: { donation, rally }, client_secret: `${id}_secret` };
    if (status === "requires_action") return { ...base, amount_received: 0, last_payment_error: null, latest_charge: null };
    if (status !== "succeeded") return { ...base, amount_received: 0, last_payment_error: NO_MONEY, latest_charge: null };
    const balance = withFee ? { id: `txn_${id.slice(3)}`, object: "balance_transaction", amount, fee: feeOf(amount), currency } : `txn_${id.slice(3)}`;
    const card = { brand: "visa", last4: "4242" };
    const charge = { id: `ch_${id.slice(3)}`, object: "charge", amount, currency, payment_intent: id, balance_transaction: balance, payment_method_details: { card } };
    // Webhooks name the charge and do not hold it.
    return { ...base, amount_received: amount, latest_charge: withFee ? charge : charge.id, payment_method: withFee ? { id: "pm_1", card } : "pm_1" };
  }

  list(query) {
    this.counts.lists += 1;
    const since = Number(query.get("created[gte]") ?? 0);
    const limit = Number(query.get("limit") ?? 10);
    // The newest first.
    let rest = this.events.length - 1;
    const after = query.get("starting_after");
    if (after) rest = Number(after.slice(4)) - 2;
    const data = [];
    for (; rest >= 0 && data.length < limit && this.events[rest].created >= since; rest -= 1) data.push(this.events[rest]);
    return [200, { object: "list", data, has_more: rest >= 0 && this.events[rest].created >= since, url: "/v1/events" }];
  }

  /** Notes an event, and puts it into the post. */
  tell(type, object) {
    const event = {
      id: `evt_${this.events.length + 1}`, object: "event", type, livemode: false, created: Math.floor(Date.now() / 1000), api_version: "2025-03-31.basil",
      data: { object }, pending_webhooks: 1,
    };
    this.events.push(event);
    if (!this.to) return;
    if (this.chance() < this.lost) return void (this.counts.dropped += 1);
    const copies = this.chance() < this.twice ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const wait = this.chance() < this.late ? this.chance() * LATE_MS : this.chance() * 400;
      const carried = new Promise((done) => setTimeout(done, wait)).then(() => this.carry(event));
      this.onTheWay.add(carried);
      void carried.finally(() => this.onTheWay.delete(carried));
    }
  }

  /** One copy, tried a few times where nobody answers. */
  async carry(event) {
    for (let tries = 1; tries <= 3; tries += 1) {
      const body = JSON.stringify(event);
      const at = Math.floor(Date.now() / 1000);
      const signed = createHmac("sha256", this.secret).update(`${at}.${body}`).digest("hex");
      const status = await this.post(body, `t=${at},v1=${signed}`).catch(() => 0);
      if (status === 200) return void (this.counts.sent += 1);
      assert(status === 0 || status >= 500, `a webhook was answered ${status}`);
      await new Promise((done) => setTimeout(done, 500 * tries));
    }
    this.counts.refused += 1;
  }

  post(body, signature) {
    return new Promise((done, failed) => {
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body), "stripe-signature": signature };
      const request = http.request(`${this.to}/webhooks/stripe`, { method: "POST", agent: this.agent, headers, timeout: 10_000 }, (response) => {
        response.resume();
        response.on("end", () => done(response.statusCode));
        response.on("error", failed);
      });
      request.on("timeout", () => request.destroy(new Error("no answer")));
      request.on("error", failed);
      request.end(body);
    });
  }

  /** Its own books: payments that took money by name, refunds by name, and sums, all in cents. */
  books() {
    const settled = [...this.payments.values()].filter((payment) => payment.status === "succeeded");
    const sum = (list, of) => list.reduce((total, one) => total + of(one), 0);
    const refunds = [...this.refunds.values()];
    return {
      payments: new Map(settled.map((payment) => [payment.id, payment])),
      refunds: new Map(refunds.map((refund) => [refund.id, refund])),
      gross: sum(settled, (payment) => payment.amount), refunded: sum(refunds, (refund) => refund.amount), fees: sum(settled, (payment) => feeOf(payment.amount)),
      feeOf: (payment) => feeOf(payment.amount),
    };
  }

  async close() {
    this.agent.destroy();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
