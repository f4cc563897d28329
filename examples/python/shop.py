"""A shop talks to Regulars. Only the standard library; Python 3.9 or later.

Environment: REGULARS_URL (http://127.0.0.1:8000), WRITE_KEY (sends events), API_KEY (reads and changes customers).
Run `python shop.py`, or take the functions you need.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from datetime import datetime, timezone

URL = os.environ.get("REGULARS_URL", "http://127.0.0.1:8000").rstrip("/")
TRIES = 8


def request(method, path, body=None, headers=None):
    """The answer's JSON. Tries again when the network fails or the server is busy, after as long as it asks for.

    Safe to repeat: events carry a messageId, changes an Idempotency-Key. Raises RuntimeError for what won't mend.
    """
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **(headers or {})}
    for attempt in range(TRIES):
        pause = min(0.5 * 2**attempt, 30)
        try:
            asked = urllib.request.Request(URL + path, data=data, headers=headers, method=method)
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            problem = error.read().decode(errors="replace")
            if error.code == 404:
                return None
            if error.code not in (429, 500, 502, 503, 504):
                raise RuntimeError(f"{method} {path}: {error.code} {problem}") from None
            told = error.headers.get("Retry-After") or ""
            pause = float(told) if told.isdigit() else pause
            why = f"{error.code} {error.reason}"
        except OSError as error:  # no connection, or the answer was lost
            why = getattr(error, "reason", error)
        if attempt + 1 < TRIES:
            print(f"{URL}: {why}; trying again in {pause:g} s", file=sys.stderr)
            time.sleep(pause)
    raise RuntimeError(f"{method} {URL}{path}: no luck in {TRIES} tries ({why})")


# Tracking, with the write key


def event(kind, user_id, **fields):
    """An event. Its messageId is made once: however often it is sent, it counts once."""
    now = datetime.now(timezone.utc).isoformat()  # noqa: UP017 (Python 3.9 has no datetime.UTC)
    return {"type": kind, "messageId": str(uuid.uuid4()), "userId": user_id, "timestamp": now, **fields}


def track(events):
    """Send events, at most 500 KB at once. They are on the server's disk when this returns."""
    key = base64.b64encode(f"{os.environ['WRITE_KEY']}:".encode()).decode()
    now = datetime.now(timezone.utc).isoformat()  # noqa: UP017
    request("POST", "/v1/batch", {"batch": events, "sentAt": now}, {"Authorization": f"Basic {key}"})


def page_viewed(user_id, url, title):
    return event("page", user_id, name=title, properties={"url": url, "title": title})


def order_completed(user_id, email, order_id, products, currency="CNY"):
    total = round(sum(product["price"] * product["quantity"] for product in products), 2)
    return event(
        "track",
        user_id,
        event="Order Completed",
        properties={"order_id": order_id, "total": total, "currency": currency, "products": products},
        context={"traits": {"email": email}},
    )


# The JSON API, with the API key


def api(method, path, body=None, **query):
    headers = {"Authorization": f"Bearer {os.environ['API_KEY']}"}
    if method != "GET":  # the same for every try of this change: it is made once
        headers["Idempotency-Key"] = str(uuid.uuid4())
    asked = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})
    return request(method, f"/api/v1{path}" + (f"?{asked}" if asked else ""), body, headers)


def customer(kind, value):
    """A customer by "email", "user_id", "phone" …; None if there is none. Scores are in `worth`, money in cents."""
    return api("GET", "/customers/lookup", kind=kind, value=value)


def wait_for_order(user_id, order_id, seconds=30):
    """The customer, once the order is among theirs; on a further order their scores follow within a second or so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = customer("user_id", user_id)
        if found and found["worth"]:
            orders = api("GET", f"/customers/{found['id']}/orders")
            if any(order["order_id"] == order_id for order in orders["data"]):
                return customer("user_id", user_id)
        time.sleep(0.3)
    raise TimeoutError(f"order {order_id} wasn't seen within {seconds} seconds")


def give_consent(customer_id, channel, purpose, source):
    return api("PUT", f"/customers/{customer_id}/consents/{channel}/{purpose}", {"given": True, "source": source})


def add_tag(customer_id, tag):
    return api("PUT", f"/customers/{customer_id}/tags/{urllib.parse.quote(tag, safe='')}")


def segment(key, page_size=100):
    """Every customer of a segment ("stage:active", "rfm:champions" …), page by page."""
    cursor = None
    while True:
        page = api("GET", f"/segments/{urllib.parse.quote(key, safe='')}/customers", limit=page_size, cursor=cursor)
        if page is None:
            raise RuntimeError(f"There is no segment {key}.")
        yield from page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


# Webhooks


def verified(secret, headers, body, now=None):
    """The message of a webhook, or ValueError if it isn't from Regulars or older than five minutes.

    `body`: the bytes as they came, before any parsing. Do each "webhook-id" once: what fails is sent again.
    Standard Webhooks: HMAC-SHA256 over "id.timestamp.body"; several signatures while a secret is changed.
    """
    headers = {name.lower(): value for name, value in headers.items()}
    id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    now = time.time() if now is None else now
    if not sent.isdigit() or abs(now - int(sent)) > 300:
        raise ValueError("The webhook is too old, or its clock is wrong.")
    key = base64.b64decode(secret[6:] if secret.startswith("whsec_") else secret)
    right = base64.b64encode(hmac.new(key, f"{id}.{sent}.".encode() + body, hashlib.sha256).digest())
    given = [part[3:].encode() for part in headers.get("webhook-signature", "").split() if part.startswith("v1,")]
    if not any(hmac.compare_digest(right, one) for one in given):
        raise ValueError("The signature of the webhook is wrong.")
    return json.loads(body)


def main():
    user_id, email, order_id = "python-shop-1", "lin@example.com", f"P-{uuid.uuid4().hex[:8]}"
    tea = {"product_id": "tea", "name": "乌龙茶", "price": 44, "quantity": 2}
    track(
        [
            page_viewed(user_id, "https://shop.example.com/tea", "Tea"),
            order_completed(user_id, email, order_id, [tea]),
        ]
    )
    found = wait_for_order(user_id, order_id)
    assert customer("email", email)["id"] == found["id"]
    worth = found["worth"]
    print(f"customer {found['id']}: {worth['orders']} order(s), {worth['net'] / 100:.2f} net, stage {worth['stage']}")
    give_consent(found["id"], "email", "marketing", "checkout form")
    print("tags:", ", ".join(add_tag(found["id"], "tea lover")))
    print(f"in stage {worth['stage']}:", sum(1 for _ in segment(f"stage:{worth['stage']}")))


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(str(error))
