// The card step: gets a token for the card, wallet or account from Stripe's script, sends it to our server, runs the bank's question when
// the server asks for it, and lets the server say how it ended. Markup: templates/parts/card_form.html.

import { fieldsOf } from "./_fields.js";

// After this long the script counts as blocked; some blockers never report an error.
const SCRIPT_TIMEOUT_MS = 15_000;
// A lost answer is asked for again: the server knows the token and never charges it twice.
const SENDS_MAX = 3;
const SEND_PAUSE_MS = 1_000;
// A bank may ask more than once, but not for ever.
const QUESTIONS_MAX = 3;

const BLOCKED =
  "The card fields could not be loaded. An ad blocker or your network may be stopping them. Allow this page to load " +
  "them and reload it, or open it in another browser. Nothing was charged.";
const ELSEWHERE = " You can also pay on Stripe’s own page, with the button below.";
const LOST =
  "We could not reach the server, so we don't know yet whether the donation went through. Press the button again: you " +
  "won't be charged twice.";

// The server answered and said no to the request itself: sending it again would not help.
class Refused extends Error {}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function loadScript(url) {
  if (window.Stripe) return Promise.resolve();
  return new Promise((loaded, failed) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => (window.Stripe ? loaded() : failed(new Error("no Stripe")));
    script.onerror = () => failed(new Error("not loaded"));
    setTimeout(() => failed(new Error("timeout")), SCRIPT_TIMEOUT_MS);
    document.head.append(script);
  });
}

async function sendOnce(form, body) {
  const hidden = [...form.querySelectorAll("input[type=hidden]")].map((field) => [field.name, field.value]);
  const response = await fetch(form.action, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ ...Object.fromEntries(hidden), ...body }),
  });
  if (response.status >= 500) throw new Error(`status ${response.status}`);
  const answer = await response.json().catch(() => null);
  if (response.ok && answer?.state) return answer;
  throw new Refused(answer?.detail || answer?.title || "The server did not accept this. Reload the page and try again.");
}

async function send(form, body) {
  for (let sent = 1; ; sent += 1) {
    try {
      return await sendOnce(form, body);
    } catch (error) {
      if (error instanceof Refused || sent >= SENDS_MAX) throw error;
      await pause(SEND_PAUSE_MS * sent);
    }
  }
}

function goTo(next) {
  const target = new URL(next, location.href);
  if (target.origin !== location.origin) throw new Refused("The server sent an address that is not its own.");
  location.assign(target);
}

export async function startStripe(form) {
  const message = form.querySelector("#card-error");
  const button = form.querySelector("button");
  const place = form.querySelector("#card-element");
  // What was sent and not answered: the next press sends the same again, never a new card token.
  let unanswered = null;

  const say = (text) => {
    message.textContent = text;
    if (text) message.focus();
  };
  const setState = (state) => {
    form.dataset.state = state;
    form.setAttribute("aria-busy", String(state === "busy"));
    button.disabled = state !== "ready";
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.dataset.state === "ready") void run(pay);
  });

  setState("loading");
  let fields;
  try {
    await loadScript(form.dataset.scriptUrl);
    fields = fieldsOf(window.Stripe(form.dataset.publishableKey), form);
    place.replaceChildren();
    fields.element.mount(place);
  } catch {
    place.replaceChildren();
    setState("blocked");
    say(BLOCKED + (document.querySelector(".checkout") ? ELSEWHERE : ""));
    return;
  }
  fields.element.on("change", (event) => {
    message.textContent = event?.error?.message ?? "";
  });
  setState("ready");
  // The bank's question came while the donor was in line: it is asked as after a press.
  if (form.dataset.clientSecret) void run(() => agree(form.dataset.clientSecret));

  // Whether the donor agreed is for the server to look up; what the script says here is not proof.
  async function agree(clientSecret) {
    await fields.question(clientSecret);
    unanswered = { confirmed: true };
    await settle();
  }

  async function pay() {
    if (!unanswered) {
      const { method, error } = await fields.method();
      if (error) {
        say(error);
        return;
      }
      unanswered = { method };
    }
    await settle();
  }

  async function run(act) {
    say("");
    setState("busy");
    try {
      await act();
    } catch (error) {
      if (error instanceof Refused) unanswered = null;
      say(error instanceof Refused ? error.message : LOST);
    } finally {
      if (form.dataset.state === "busy") setState("ready");
    }
  }

  async function settle() {
    for (let questions = 0; questions <= QUESTIONS_MAX; questions += 1) {
      const answer = await send(form, unanswered);
      if (answer.state === "action") {
        await fields.question(answer.client_secret);
        unanswered = { confirmed: true };
        continue;
      }
      unanswered = null;
      if (answer.state === "declined") {
        say(answer.reason);
      } else {
        setState("leaving");
        goTo(answer.next);
      }
      return;
    }
    unanswered = null;
    throw new Refused("Your bank asked too often. Nothing was charged. Please use another card.");
  }
}

// A plain form: the server answers with pages. Only a second press is stopped, until the donor comes back to the page.
export function startPlain(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.state === "busy") event.preventDefault();
    form.dataset.state = "busy";
  });
  window.addEventListener("pageshow", () => delete form.dataset.state);
}

const form = document.getElementById("card-form");
if (form?.dataset.kind === "stripe") void startStripe(form);
else if (form) startPlain(form);
