/** Requests to the engine. */

import { byId } from "./dom.js";

const KEY = "levy-api-key";
const MAX_RETRIES = 4;
const RETRIED = [429, 503];

/** An error that the engine reports (RFC 9457). */
export class Problem extends Error {
  constructor(body, status) {
    super(body.detail || `HTTP status ${status}`);
    this.status = status;
    this.code = body.code || "";
    this.title = body.title || "Error";
    this.errors = body.errors || [];
    this.requestId = body.request_id || "";
    this.column = body.column;
    this.values = body.values;
  }
}

/** Send a request and return the JSON of its response; raise `Problem` for any other outcome. */
export async function send(method, path, body) {
  return (await responseTo(method, path, body)).json();
}

/** Return the body of a file of the engine, which a plain link would request without the key. */
export async function fileOf(path) {
  return (await responseTo("GET", path)).blob();
}

async function responseTo(method, path, body) {
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetched(method, path, body);
    if (response.ok) return response;
    const content = await response.json().catch(() => ({}));
    if (response.status === 401 && (await askForKey(Boolean(key())))) continue;
    const wait = Number(response.headers.get("Retry-After"));
    if (!RETRIED.includes(response.status) || !(wait > 0) || attempt >= MAX_RETRIES) {
      throw new Problem(content, response.status);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(wait, 5)));
  }
}

/** Apply an asynchronous function to items, a few at a time, and return the results in order. */
export async function mapped(items, work, atOnce = 2) {
  const results = new Array(items.length);
  let next = 0;
  const run = async () => {
    while (next < items.length) {
      const k = next;
      next += 1;
      results[k] = await work(items[k]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, run));
  return results;
}

async function fetched(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key()) headers["X-API-Key"] = key();
  const content = body === undefined ? undefined : JSON.stringify(body);
  try {
    return await fetch(path, { method, headers, body: content });
  } catch {
    throw new Problem({
      title: "No connection",
      detail: "The engine does not respond. Check that it runs, then try again.",
    });
  }
}

const key = () => sessionStorage.getItem(KEY) || "";

/** Return whether the user entered a key, which this tab keeps until it is closed. */
export function askForKey(rejected = false) {
  const dialog = byId("key-dialog");
  const input = byId("key");
  byId("key-error").textContent = rejected ? "This key is not valid. Check it, or enter another." : "";
  input.value = key();
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    const close = (value) => {
      byId("key-form").onsubmit = null;
      byId("key-cancel").onclick = null;
      dialog.oncancel = null;
      if (value !== null) sessionStorage.setItem(KEY, value);
      dialog.close();
      resolve(value !== null);
    };
    byId("key-form").onsubmit = (event) => {
      event.preventDefault();
      close(input.value.trim());
    };
    byId("key-cancel").onclick = () => close(null);
    dialog.oncancel = (event) => {
      event.preventDefault();
      close(null);
    };
  });
}
