/** Links, files and commands that reproduce a result. */

import { h } from "./dom.js";
import { csv, save } from "./download.js";
import { number } from "./format.js";
import { notebookOf } from "./notebook.js";

const LONGEST_LINK = 30_000;
const PREFIX = "#s=";
const QUOTE_COLUMNS = ["quote_date", "underlying", "maturity_years", "strike", "option_type", "bid", "ask", "mid", "forward", "discount"];
const REPEATED = ["sides", "forwards", "data", "text", "name", "example", "columns"];

async function piped(bytes, stream) {
  const output = new Response(new Blob([bytes]).stream().pipeThrough(stream));
  return new Uint8Array(await output.arrayBuffer());
}

/** Return the fragment of a link to a state, which a server never receives; null if too long. */
export async function fragmentOf(value) {
  const bytes = await piped(JSON.stringify(value), new CompressionStream("deflate-raw"));
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const fragment = PREFIX + text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return fragment.length <= LONGEST_LINK ? fragment : null;
}

/** Return the state of a fragment; null without one, or if it is damaged. */
export async function stateOf(fragment) {
  if (!fragment.startsWith(PREFIX)) return null;
  try {
    const text = atob(fragment.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = await piped(Uint8Array.from(text, (c) => c.charCodeAt(0)), new DecompressionStream("deflate-raw"));
    const value = JSON.parse(new TextDecoder().decode(bytes));
    return value && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

/** Return the cleaned quotes as a CSV file in the engine's columns, which the engine reads. */
export function quotesCsv(quotes) {
  const markets = new Map(quotes.forwards.map((forward) => [forward.maturity, forward]));
  const rows = quotes.quotes.map((q) => {
    const { forward, discount } = markets.get(q.maturity);
    const mid = q.bid == null ? q.price : null;
    return [quotes.quote_date, quotes.underlying, q.maturity, q.strike, q.option_type, q.bid, q.ask, mid, forward, discount];
  });
  return csv(QUOTE_COLUMNS, rows);
}

/** Return the command line that fits the same quotes. */
export function commandOf(request, options, command = "calibrate") {
  const name = request.example ? "chain.csv" : request.name || "quotes.csv";
  const parts = ["levy", command, quoted(name), "--model", options.model_type];
  if (command === "calibrate") {
    parts.push("--method", options.method, "--uncertainty", options.uncertainty);
    if (options.per_maturity) parts.push("--per-maturity");
  }
  if (options.weights) parts.push("--weights", options.weights);
  for (const [field, value] of Object.entries(request)) {
    if (REPEATED.includes(field)) continue;
    parts.push(`--${field.replaceAll("_", "-")}`, quoted(String(value)));
  }
  for (const field of ["sides", "forwards"]) if (request[field]) parts.push(`--${field}`, request[field]);
  if (request.columns) {
    parts.push("--columns", quoted(Object.entries(request.columns).map((pair) => pair.join("=")).join(",")));
  }
  return request.example ? `levy sample chain.csv\n${parts.join(" ")}` : parts.join(" ");
}

function quoted(text) {
  return /^[\w.,=:%+/@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Return the buttons and texts that save and share a fit. */
export function downloadsOf({ request, result: quotes }, options, fit, link) {
  const name = [fit.result.model_type, quotes.underlying, quotes.quote_date?.slice(0, 10)].filter(Boolean).join("-");
  const rows = fit.smiles.flatMap(({ expiry, quotes: mine }) =>
    mine.map((q) => [
      expiry.name, expiry.maturity, expiry.forward, expiry.discount, q.strike, q.option_type,
      q.bid, q.ask, q.price, q.bid_vol, q.ask_vol, q.implied_vol, q.model_vol,
    ]),
  );
  const head = [
    "expiry", "maturity_years", "forward", "discount", "strike", "option_type",
    "bid", "ask", "price", "bid_vol", "ask_vol", "market_vol", "model_vol",
  ];
  const button = (label, run) => h("button", { type: "button", click: run }, label);
  const said = h("span", { class: "status", role: "status" });
  const copy = (text, what) => async () => {
    await navigator.clipboard.writeText(text);
    said.textContent = `${what} copied.`;
  };
  const command = commandOf(request, options);
  const document = { request: { ...options }, quotes, result: fit.result };
  return h(
    "div",
    {},
    h(
      "p",
      { class: "actions" },
      button("Result (JSON)", () => save(`${name}.json`, JSON.stringify(document, null, 1), "application/json")),
      button("Fit of each quote (CSV)", () => save(`${name}-fit.csv`, csv(head, rows), "text/csv")),
      button("Cleaned quotes (CSV)", () => save(`${name}-quotes.csv`, quotesCsv(quotes), "text/csv")),
      button("Notebook", () => save(`${name}.ipynb`, notebookOf(quotes, options, fit), "application/x-ipynb+json")),
      button("Print or PDF", () => window.print()),
      link ? button("Copy link", copy(link, "Link")) : null,
      button("Copy command", copy(command, "Command")),
      said,
    ),
    link
      ? h("p", { class: "soft" }, `The link contains the quotes and the options (${number(link.length, 4)} characters); no server stores them.`)
      : h("p", { class: "soft" }, "These quotes are too many for a link; share the cleaned quotes as CSV."),
    h("p", { class: "soft" }, "On the command line:"),
    h("pre", { id: "command", tabindex: 0 }, command),
  );
}
