"""A stand-in for Stripe's own payment page, which `localstripe` lacks: sessions, the page itself (without a script), the
payment behind it, cards on payment intents, cards that are kept, events as a list and as signed webhooks. It keeps idempotency keys as Stripe
says it does: the same key with the same parameters answers the same, with others it is an error. A process of its own, which
tests in Rust and in a browser drive alike.

    python3 tests/support/checkout_stand_in.py

prints its port. What a test wants of it beyond Stripe's API is posted to /_config, as JSON:

    {"webhooks": {"url": …, "secret": …}}   send events there, each at once; without it they are kept for the list alone
    {"lose": 2}                             do what the next two POSTs to /v1 ask, and break the connection instead of answering
    {"refuse": 429}                         turn the next POST to /v1 away at the door, with nothing done
    {"hold": 1.5}                           wait so long before each answer of /v1
    {"expire": "cs_…"}                      let that page's time run out
    {"debit": ["pi_…", true]}               the bank pays that debit, or does not
    {"decline": 1}                          decline the next charge of a card that was kept
    {"ahead": 86400}                        be ahead of this machine's clock by so many seconds

GET /_calls lists the calls to /v1 so far: method, path, key, body.
"""

import hashlib
import hmac
import html
import json
import re
import sys
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CARD = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030, "country": "US"}
# The parameters that a session may be made with, each with its form; any other is an error, as it is with Stripe.
TAKES = {
    "mode": "payment", "submit_type": "donate", "customer_email": r"[^@\s]+@[^@\s]+", "success_url": r"https?://\S+",
    "cancel_url": r"https?://\S+", "expires_at": r"\d+", r"line_items[0][quantity]": "1",
    r"line_items[0][price_data][currency]": "usd", r"line_items[0][price_data][unit_amount]": r"[1-9]\d*",
    r"line_items[0][price_data][product_data][name]": ".+", "adaptive_pricing[enabled]": "false",
}
# And these where the card is kept for later: a customer alone has nothing to charge, a card alone belongs to nobody.
KEEPS = {"customer_creation": "always", "payment_intent_data[setup_future_usage]": "off_session"}
METADATA = re.compile(r"^(?:payment_intent_data\[metadata\]|metadata)\[\w{1,40}\]$")

lock = threading.RLock()
sessions, intents, keys, events, calls = {}, {}, {}, [], []
# Whose a kept card is.
kept = {}
config = {"webhooks": None, "lose": 0, "refuse": 0, "hold": 0, "decline": 0, "ahead": 0}
counter = 0


def now():
    return int(time.time() + config["ahead"])


def name(kind):
    global counter
    counter += 1
    return f"{kind}_{hashlib.sha256(f'{kind}{counter}'.encode()).hexdigest()[:24]}"


class Refused(Exception):
    def __init__(self, status, code, message, param=None, **more):
        self.status = status
        self.error = {"type": "invalid_request_error", "code": code, "message": message, "param": param, **more}


def tell(kind, thing):
    event = {
        "id": name("evt"), "object": "event", "api_version": "2026-05-27", "created": now(), "livemode": False,
        "pending_webhooks": 1, "request": {"id": None, "idempotency_key": None}, "type": kind,
        "data": {"object": json.loads(json.dumps(shown(thing)))},
    }
    events.append(event)
    if config["webhooks"]:
        threading.Thread(target=deliver, args=(event, dict(config["webhooks"])), daemon=True).start()


def deliver(event, hook):
    body = json.dumps(event, indent=2).encode()
    at = now()
    signature = hmac.new(hook["secret"].encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"stripe-signature": f"t={at},v1={signature}", "content-type": "application/json"}
    for pause in (0, 0.2, 1, 3):
        time.sleep(pause)
        try:
            with urllib.request.urlopen(urllib.request.Request(hook["url"], body, headers), timeout=10):
                return
        except OSError:
            continue


def intent(amount, currency, metadata, status, error=None):
    made = {
        "id": name("pi"), "object": "payment_intent", "amount": amount, "amount_received": 0, "currency": currency,
        "status": status, "metadata": metadata, "livemode": False, "last_payment_error": error, "latest_charge": None,
        "payment_method": None, "canceled_at": None, "created": now(), "customer": None,
    }
    made["client_secret"] = f"{made['id']}_secret_{name('x')}"
    intents[made["id"]] = made
    return made


def succeed(paid, method=None):
    paid.update(status="succeeded", amount_received=paid["amount"], last_payment_error=None, payment_method=method or name("pm"))
    fee = paid["amount"] * 29 // 1000 + 30
    paid["latest_charge"] = {
        "id": name("ch"), "object": "charge", "amount": paid["amount"], "currency": paid["currency"],
        "payment_intent": paid["id"], "payment_method_details": {"type": "card", "card": CARD},
        "balance_transaction": {"id": name("txn"), "object": "balance_transaction", "amount": paid["amount"], "fee": fee,
                                "net": paid["amount"] - fee, "currency": paid["currency"]},
    }


def declines(paid):
    paid["last_payment_error"] = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "message": "Your card has insufficient funds."}
    tell("payment_intent.payment_failed", paid)


def shown(thing, expanded=False):
    """An object as Stripe gives it: what it refers to is a name unless it was asked for."""
    thing = dict(thing)
    if thing["object"] == "payment_intent" and not expanded and thing["latest_charge"]:
        thing["latest_charge"] = thing["latest_charge"]["id"]
    if thing["object"] == "payment_intent" and expanded and thing["payment_method"]:
        thing["payment_method"] = {"id": thing["payment_method"], "object": "payment_method", "type": "card", "card": CARD}
    if thing["object"] == "checkout.session" and expanded and thing["payment_intent"]:
        thing["payment_intent"] = shown(intents[thing["payment_intent"]], True)
    return thing


def written(form, where):
    """The metadata whose parameters begin so."""
    return {field[len(where):-1]: value for field, value in form.items() if field.startswith(where)}


def make_session(form):
    for field, value in form.items():
        if METADATA.match(field):
            continue
        if field not in TAKES | KEEPS:
            raise Refused(400, "parameter_unknown", f"Received unknown parameter: {field}", field)
        if not re.fullmatch((TAKES | KEEPS)[field], value):
            raise Refused(400, "parameter_invalid", f"Invalid {field}: {value}", field)
    for field in TAKES:
        if field not in form:
            raise Refused(400, "parameter_missing", f"Missing required param: {field}.", field)
    closes, begun = int(form["expires_at"]), now()
    if not begun + 30 * 60 <= closes <= begun + 24 * 3600:
        raise Refused(400, "parameter_invalid", "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.", "expires_at")
    metadata, on_payment = written(form, "metadata["), written(form, "payment_intent_data[metadata][")
    amount = int(form["line_items[0][price_data][unit_amount]"])
    made = {
        "id": name("cs_test"), "object": "checkout.session", "adaptive_pricing": {"enabled": False}, "amount_subtotal": amount,
        "amount_total": amount, "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "cancel_url": form["cancel_url"], "client_reference_id": None, "client_secret": None, "created": begun,
        "currency": form["line_items[0][price_data][currency]"], "custom_fields": [], "customer": None,
        "customer_creation": form.get("customer_creation", "if_required"), "customer_details": {"email": form["customer_email"], "name": None},
        "customer_email": form["customer_email"], "expires_at": closes, "livemode": False, "metadata": metadata,
        "mode": "payment", "payment_intent": None, "payment_method_types": ["card"], "payment_status": "unpaid",
        "setup_intent": None, "status": "open", "submit_type": "donate", "success_url": form["success_url"],
        "ui_mode": "hosted",
    }
    made["url"] = f"{base}/c/pay/{made['id']}?key={name('k')}"
    title, keeps = form["line_items[0][price_data][product_data][name]"], "payment_intent_data[setup_future_usage]" in form
    sessions[made["id"]] = {**made, "_title": title, "_on_payment": on_payment, "_keeps": keeps}
    return public(sessions[made["id"]])


def public(session):
    return {key: value for key, value in session.items() if not key.startswith("_")}


def close(session):
    if session["status"] != "open":
        raise Refused(400, "resource_invalid", "Only Checkout Sessions with a status in [\"open\"] can be expired.")
    session.update(status="expired", url=None)
    tell("checkout.session.expired", public(session))
    return public(session)


def visit(session, act):
    """What a donor does on the page; where they go then, or what they are told."""
    if session["status"] == "open" and now() > session["expires_at"]:
        close(session)
    if session["status"] != "open":
        return None, "This page is not open any more."
    paid = intents.get(session["payment_intent"])
    if paid is None:
        paid = intent(session["amount_total"], session["currency"], session["_on_payment"], "requires_payment_method")
        session["payment_intent"] = paid["id"]
        tell("payment_intent.created", paid)
    if act == "decline":
        declines(paid)
        return None, "Your card was declined. Try another card."
    session.update(status="complete", url=None)
    if session["customer_creation"] == "always":
        session["customer"] = paid["customer"] = name("cus")
    if act == "debit":
        paid["status"] = "processing"
        tell("payment_intent.processing", paid)
    else:
        succeed(paid)
        if session["_keeps"]:
            kept[paid["payment_method"]] = session["customer"]
        session["payment_status"] = "paid"
        tell("payment_intent.succeeded", paid)
    tell("checkout.session.completed", public(session))
    return session["success_url"], None


def debit(payment, pays):
    paid = intents[payment]
    session = next(session for session in sessions.values() if session["payment_intent"] == payment)
    if pays:
        succeed(paid)
        session["payment_status"] = "paid"
        tell("payment_intent.succeeded", paid)
        tell("checkout.session.async_payment_succeeded", public(session))
    else:
        paid.update(status="requires_payment_method", last_payment_error={"type": "card_error", "code": "debit_not_authorized", "message": "The bank did not pay."})
        tell("payment_intent.payment_failed", paid)
        tell("checkout.session.async_payment_failed", public(session))


def charge(form):
    """A card is charged by a call: one that was just typed in, or one that was kept, while its owner is away."""
    method, customer = form["payment_method"], form.get("customer")
    if form.get("off_session") == "true":
        if not customer or kept.get(method) != customer:
            raise Refused(400, "resource_invalid", "The PaymentMethod supplied does not belong to the Customer.", "payment_method")
    elif method != "pm_good":
        raise Refused(404, "resource_missing", "No such PaymentMethod", "payment_method")
    paid = intent(int(form["amount"]), form["currency"], written(form, "metadata["), "requires_payment_method")
    paid["customer"] = customer
    if form.get("off_session") == "true" and config["decline"]:
        config["decline"] -= 1
        declines(paid)
        raise Refused(402, "card_declined", "Your card has insufficient funds.", type="card_error", decline_code="insufficient_funds", payment_intent=shown(paid))
    succeed(paid, method)
    tell("payment_intent.succeeded", paid)
    return shown(paid, True)


def found(things, which, kind):
    if which not in things:
        raise Refused(404, "resource_missing", f"No such {kind}: '{which}'")
    return things[which]


def api(method, path, query, form):
    expanded = any(field.startswith("expand[") for field in (query | form))
    if (method, path) == ("POST", "/v1/checkout/sessions"):
        return make_session(form)
    if (method, path) == ("POST", "/v1/payment_intents"):
        return charge(form)
    if (method, path) == ("GET", "/v1/events"):
        since, limit, after = int(query["created[gte]"]), int(query["limit"]), query.get("starting_after")
        newest = [event for event in reversed(events) if event["created"] >= since]
        if after:
            newest = newest[[event["id"] for event in newest].index(after) + 1:]
        return {"object": "list", "url": "/v1/events", "data": newest[:limit], "has_more": len(newest) > limit}
    match = re.fullmatch(r"/v1/(checkout/sessions|payment_intents)/(\w+)(/expire|/cancel)?", path)
    if not match:
        raise Refused(404, "resource_missing", f"Unrecognized request URL ({method}: {path})")
    kind, which, act = match.groups()
    if kind == "payment_intents":
        return shown(found(intents, which, "payment_intent"), expanded)
    session = found(sessions, which, "checkout.session")
    if act == "/expire":
        return close(session)
    if session["status"] == "open" and now() > session["expires_at"]:
        close(session)
    return shown(public(session), expanded)


def page(session, said):
    """The payment page, plain enough for a browser without scripts."""
    error = f'<p role="alert">{html.escape(said)}</p>' if said else ""
    acts = "".join(f'<p><button name="act" value="{act}">{words}</button></p>' for act, words in (
        ("pay", "Pay"), ("decline", "Pay with a card that is declined"), ("debit", "Pay from a bank account")))
    body = f'<form method="post">{acts}</form><p><a href="{html.escape(session["cancel_url"])}">Cancel</a></p>' if session["status"] == "open" else ""
    amount = f"{session['amount_total'] / 100:.2f} {session['currency'].upper()}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Stand-in: pay</title><h1>{html.escape(session['_title'])}</h1><p>{amount}, for {html.escape(session['customer_email'])}</p>{error}{body}"
    ).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for field, value in headers.items():
            self.send_header(field, value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, status, answer):
        self.reply(status, json.dumps(answer).encode())

    def handle_call(self, method):
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if url.path == "/_config":
            with lock:
                for what, value in json.loads(body).items():
                    if what == "expire":
                        close(sessions[value])
                    elif what == "debit":
                        debit(*value)
                    else:
                        config[what] = value
            return self.json(200, {})
        if url.path == "/_calls":
            with lock:
                return self.json(200, calls)
        if url.path.startswith("/c/pay/"):
            return self.visited(method, url.path[7:], query, dict(urllib.parse.parse_qsl(body)))
        if url.path == "/favicon.ico":
            return self.reply(204, b"", "image/x-icon")
        if not url.path.startswith("/v1/"):
            return self.reply(404, b"There is nothing here.", "text/plain")
        return self.called(method, url.path, query, body)

    def visited(self, method, which, query, form):
        with lock:
            session = sessions.get(which)
            # Stripe's addresses are no shorter than their keys either.
            if session is None or not session.get("url") and session["status"] == "open":
                return self.reply(404, b"There is no such page.", "text/plain")
            if session["url"] and not session["url"].endswith(f"key={query.get('key')}"):
                return self.reply(404, b"There is no such page.", "text/plain")
            to, said = visit(session, form.get("act")) if method == "POST" else (None, None)
            if to:
                return self.reply(303, b"", "text/plain", location=to)
            return self.reply(200, page(session, said), "text/html; charset=utf-8")

    def called(self, method, path, query, body):
        form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        key = self.headers.get("idempotency-key")
        with lock:
            calls.append({"method": method, "path": path, "key": key, "body": body})
            # What the server looks up by itself must not use them up.
            acts = method == "POST"
            refused = acts and config["refuse"]
            config["refuse"] = 0 if acts else config["refuse"]
            lost = acts and config["lose"] > 0
            config["lose"] -= lost
            hold = config["hold"]
            if refused:
                answer = (refused, {"error": {"type": "api_error", "code": "rate_limit", "message": "Too many requests"}})
            elif key and key in keys and keys[key][0] != (path, body):
                answer = (400, {"error": {"type": "idempotency_error", "message": "Keys for idempotent requests can only be used with the same parameters they were first used with."}})
            elif key and key in keys:
                answer = keys[key][1]
            else:
                try:
                    answer = (200, json.loads(json.dumps(api(method, path, query, form))))
                except Refused as error:
                    answer = (error.status, {"error": error.error})
                if key:
                    keys[key] = ((path, body), answer)
        time.sleep(hold)
        if lost:
            self.close_connection = True
            self.connection.close()
            return None
        return self.json(*answer)

    def do_GET(self):
        self.handle_call("GET")

    def do_POST(self):
        self.handle_call("POST")


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
server.daemon_threads = True
base = f"http://127.0.0.1:{server.server_port}"
print(server.server_port, flush=True)
server.serve_forever()
