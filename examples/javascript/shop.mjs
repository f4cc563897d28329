// A shop talks to Regulars. Nothing to install; Node 18 or later.
//
// Environment: REGULARS_URL (http://127.0.0.1:8000), WRITE_KEY (sends events), API_KEY (reads and changes customers).
// Run `node shop.mjs`, or import the functions you need.

import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { realpathSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const URL_ = (process.env.REGULARS_URL ?? "http://127.0.0.1:8000").replace(/\/+$/, "");
const TRIES = 8;

/**
 * The answer's JSON; null for 404. Tries again when the network fails or the server is busy, after as long as it asks
 * for. Safe to repeat: events carry a messageId, changes an Idempotency-Key. Throws for what won't mend.
 */
async function request(method, path, { body, headers } = {}) {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    let pause = Math.min(0.5 * 2 ** attempt, 30);
    let answer, text, why;
    try {
      answer = await fetch(URL_ + path, {
        method,
        headers: { "Content-Type": "application/json", ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(10_000),
      });
      text = await answer.text();
    } catch (error) {
      answer = undefined; // no connection, or the answer was lost
      why = error.cause?.code ?? error.message;
    }
    if (answer?.ok) return text ? JSON.parse(text) : null;
    if (answer?.status === 404) return null;
    if (answer && ![429, 500, 502, 503, 504].includes(answer.status)) {
      throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    }
    const told = answer?.headers.get("Retry-After") ?? "";
    if (/^\d+$/.test(told)) pause = Number(told);
    why ??= `${answer.status} ${answer.statusText}`;
    if (attempt + 1 === TRIES) throw new Error(`${method} ${URL_}${path}: no luck in ${TRIES} tries (${why})`);
    console.error(`${URL_}: ${why}; trying again in ${pause} s`);
    await sleep(pause * 1000);
  }
}

// Tracking, with the write key

/** An event. Its messageId is made once: however often it is sent, it counts once. */
export function event(type, userId, fields) {
  return { type, messageId: randomUUID(), userId, timestamp: new Date().toISOString(), ...fields };
}

/** Send events, at most 500 KB at once. They are on the server's disk when this returns. */
export async function track(events) {
  const key = Buffer.from(`${process.env.WRITE_KEY}:`).toString("base64");
  await request("POST", "/v1/batch", {
    body: { batch: events, sentAt: new Date().toISOString() },
    headers: { Authorization: `Basic ${key}` },
  });
}

export const pageViewed = (userId, url, title) => event("page", userId, { name: title, properties: { url, title } });

export function orderCompleted(userId, email, orderId, products, currency = "CNY") {
  const sum = products.reduce((sum, product) => sum + product.price * product.quantity, 0);
  const total = Math.round(sum * 100) / 100;
  return event("track", userId, {
    event: "Order Completed",
    properties: { order_id: orderId, total, currency, products },
    context: { traits: { email } },
  });
}

// The JSON API, with the API key

async function api(method, path, { body, query = {} } = {}) {
  const headers = { Authorization: `Bearer ${process.env.API_KEY}` };
  if (method !== "GET") headers["Idempotency-Key"] = randomUUID(); // the same for every try: the change is made once
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value != null)).toString();
  return request(method, `/api/v1${path}${asked ? `?${asked}` : ""}`, { body, headers });
}

/** A customer by "email", "user_id", "phone" …; null if there is none. Scores are in `worth`, money in cents. */
export const customer = (kind, value) => api("GET", "/customers/lookup", { query: { kind, value } });

/** The customer, once the order is among theirs; on a further order their scores follow within a second or so. */
export async function waitForOrder(userId, orderId, seconds = 30) {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const found = await customer("user_id", userId);
    if (found?.worth) {
      const orders = await api("GET", `/customers/${found.id}/orders`);
      if (orders.data.some((order) => order.order_id === orderId)) return customer("user_id", userId);
    }
    await sleep(300);
  }
  throw new Error(`order ${orderId} wasn't seen within ${seconds} seconds`);
}

export const giveConsent = (customerId, channel, purpose, source) =>
  api("PUT", `/customers/${customerId}/consents/${channel}/${purpose}`, { body: { given: true, source } });

export const addTag = (customerId, tag) => api("PUT", `/customers/${customerId}/tags/${encodeURIComponent(tag)}`);

/** Every customer of a segment ("stage:active", "rfm:champions" …), page by page. */
export async function* segment(key, pageSize = 100) {
  let cursor = null;
  do {
    const query = { limit: pageSize, cursor };
    const page = await api("GET", `/segments/${encodeURIComponent(key)}/customers`, { query });
    if (page === null) throw new Error(`There is no segment ${key}.`);
    yield* page.data;
    cursor = page.next_cursor;
  } while (cursor !== null);
}

// Webhooks

/**
 * The message of a webhook; throws if it isn't from Regulars or older than five minutes. `headers`: names in small
 * letters, as Node gives them. `body`: the text or bytes as they came, before any parsing. Do each "webhook-id" once:
 * what fails is sent again. Standard Webhooks: HMAC-SHA256 over "id.timestamp.body"; several signatures while a secret
 * is changed.
 */
export function verified(secret, headers, body, now = Date.now() / 1000) {
  const { "webhook-id": id = "", "webhook-timestamp": sent = "", "webhook-signature": signatures = "" } = headers;
  if (!/^\d+$/.test(sent) || Math.abs(now - Number(sent)) > 300) {
    throw new Error("The webhook is too old, or its clock is wrong.");
  }
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const right = createHmac("sha256", key).update(`${id}.${sent}.`).update(body).digest();
  const good = signatures.split(" ").some((part) => {
    const given = Buffer.from(part.startsWith("v1,") ? part.slice(3) : "", "base64");
    return given.length === right.length && timingSafeEqual(given, right);
  });
  if (!good) throw new Error("The signature of the webhook is wrong.");
  return JSON.parse(body.toString());
}

async function main() {
  const [userId, email, orderId] = ["node-shop-1", "chen@example.com", `N-${randomUUID().slice(0, 8)}`];
  const tea = { product_id: "tea", name: "乌龙茶", price: 44, quantity: 2 };
  await track([
    pageViewed(userId, "https://shop.example.com/tea", "Tea"),
    orderCompleted(userId, email, orderId, [tea]),
  ]);
  const found = await waitForOrder(userId, orderId);
  const { id, worth } = found;
  if ((await customer("email", email)).id !== id) throw new Error("two customers?");
  console.log(`customer ${id}: ${worth.orders} order(s), ${(worth.net / 100).toFixed(2)} net, stage ${worth.stage}`);
  await giveConsent(id, "email", "marketing", "checkout form");
  console.log("tags:", (await addTag(id, "tea lover")).join(", "));
  let members = 0;
  for await (const _ of segment(`stage:${worth.stage}`)) members++;
  console.log(`in stage ${worth.stage}:`, members);
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) await main();
