/** The first section: quotes, and what was recognised in them. */

import { send } from "./api.js";
import { byId, disclosure, h, notes, table } from "./dom.js";
import { count, fixed, maturity, number, percent, sentence, words } from "./format.js";
import { EntryError } from "./problems.js";

const NUMBERS = ["spot", "min_maturity", "max_maturity", "min_moneyness", "max_moneyness"];
const FRACTIONS = ["rate", "dividend"];
const TEXTS = ["date", "underlying", "expiry_time", "date_format", "decimal", "currency", "exercise"];
const COMPRESSED_FROM = 150_000;
const MAX_BYTES = 180_000;

/** Return the request that the form describes; `file` is one that the user chose, or null. */
export async function requestOf(form, file, example) {
  const fields = {};
  const entered = (name) => form.elements[name].value.trim();
  for (const name of TEXTS) if (entered(name)) fields[name] = entered(name);
  for (const name of NUMBERS) if (entered(name)) fields[name] = parsed(name, entered(name));
  for (const name of FRACTIONS) {
    if (!entered(name)) continue;
    const isPercent = entered(name).endsWith("%");
    fields[name] = parsed(name, entered(name).replace(/%$/, "")) / (isPercent ? 100 : 1);
  }
  if (entered("columns")) fields.columns = columnsOf(entered("columns"));
  for (const name of ["sides", "forwards"]) {
    const select = form.elements[name];
    if (select.selectedIndex > 0) fields[name] = select.value;
  }
  if (example) return { example, ...fields };
  if (file) return { ...(await contentOf(file)), name: file.name, ...fields };
  const text = `${form.elements.text.value.trimEnd()}\n`;
  if (!text.trim()) {
    throw new EntryError("text", "Paste a table of quotes, choose a file, or use the example.");
  }
  return { ...(await contentOf(new Blob([text]), text)), ...fields };
}

function parsed(name, text) {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new EntryError(name, `“${text}” is not a number.`);
  return value;
}

function columnsOf(text) {
  const pairs = text.split(",").map((pair) => pair.split("=").map((part) => part.trim()));
  if (pairs.some((pair) => pair.length !== 2 || !pair[0] || !pair[1])) {
    throw new EntryError("columns", "Write pairs such as strike=K,bid=B.");
  }
  return Object.fromEntries(pairs);
}

/** Return a file as `text` if it is short, else as `data`: compressed, in Base64. */
async function contentOf(blob, text) {
  if (text !== undefined && blob.size < COMPRESSED_FROM) return { text };
  const start = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  const isPacked = (start[0] === 0x1f && start[1] === 0x8b) || (start[0] === 0x50 && start[1] === 0x4b);
  const packed = isPacked ? blob : await new Response(blob.stream().pipeThrough(new CompressionStream("gzip"))).blob();
  if (packed.size > MAX_BYTES) {
    throw new EntryError(
      "text",
      `The file has ${count(packed.size, "byte")} after compression; ${count(MAX_BYTES, "byte")} can be sent. ` +
        "Keep the quotes of one date, or use levy calibrate on the command line.",
    );
  }
  const bytes = new Uint8Array(await packed.arrayBuffer());
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return { data: btoa(binary) };
}

/**
 * Read quotes; where a file has several dates or underlyings, use the last and offer the others.
 *
 * `choices` of the result has the values of the fields that were chosen so, and the earlier ones.
 */
export async function readQuotes(request, earlier = {}) {
  const choices = { ...earlier };
  for (;;) {
    try {
      return { request, choices, result: await send("POST", "/quotes", request) };
    } catch (error) {
      const field = error.column === "quote_date" ? "date" : error.column;
      if (!error.values || field in choices || !["date", "underlying"].includes(field)) throw error;
      choices[field] = error.values;
      request = { ...request, [field]: error.values.at(-1) };
    }
  }
}

/** Show what was recognised; `choose(field, value)` reads again with another choice. */
export function showQuotes({ request, choices, result }, choose) {
  const name = [result.underlying, result.quote_date].filter(Boolean).join(", ") || "Quotes";
  const selects = Object.entries(choices).map(([field, values]) =>
    h(
      "label",
      {},
      field === "date" ? "Quote date" : "Underlying",
      h(
        "select",
        { id: `choice-${field}`, change: (event) => choose(field, event.target.value) },
        values.map((value) => h("option", { selected: value === request[field] }, value)),
      ),
    ),
  );
  byId("recognised").replaceChildren(
    h("h3", { id: "recognised-title" }, `Recognised: ${name}`),
    h("p", {}, sentence(`${result.format}; ${result.exercise}; prices in ${result.currency}; ${result.day_count}`)),
    ...(selects.length ? [h("div", { class: "fields" }, selects)] : []),
    figuresOf([
      ["quotes used", `${result.n_kept} of ${result.n_read}`],
      ["expiries", String(result.expiries.length)],
      ["spot", result.spot == null ? "unknown" : number(result.spot, 7)],
      ["shortest", maturity(result.expiries[0].maturity)],
      ["longest", maturity(result.expiries.at(-1).maturity)],
    ]),
    ...[notes(result.warnings)].filter(Boolean),
    result.exercise.includes("assumed")
      ? h(
          "p",
          { class: "soft" },
          "The file does not state the exercise. Options on single stocks are American: fit them by ",
          h("code", {}, "levy calibrate --exercise american"),
          ", which removes their early-exercise premium.",
        )
      : "",
    disclosure("Expiries and forwards", () => expiriesTable(result), { open: result.expiries.length <= 8 }),
    disclosure(`Cleaning report: ${count(result.n_read - result.n_kept, "quote")} not used`, () => cleaning(result)),
    disclosure("Columns", () =>
      table(
        "Columns",
        [{ label: "column" }, { label: "read from" }, { label: "unit", text: true }],
        result.columns.map(({ name: column, source, unit }) => [column, source, unit]),
      ),
    ),
  );
}

/** Return headline figures: pairs of label and value. */
export function figuresOf(pairs) {
  return h("dl", { class: "numbers" }, pairs.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));
}

function expiriesTable(result) {
  const labels = ["years", "quotes", "strikes", "forward", "rate", "dividend yield", "ATM volatility"];
  const columns = [{ label: "expiry" }, ...labels.map((label) => ({ label, number: true })), { label: "forward from", text: true }];
  return table(
    "Expiries and forwards",
    columns,
    result.expiries.map((e) => [
      e.name,
      fixed(e.maturity, 4),
      e.n_quotes,
      `${number(e.strike_low)} to ${number(e.strike_high)}`,
      number(e.forward, 7),
      percent(e.rate),
      percent(e.dividend_yield),
      percent(e.atm_vol),
      e.source,
    ]),
  );
}

function cleaning(result) {
  const counts = Object.entries(result.dropped_counts);
  if (!counts.length) return h("p", {}, "All quotes are used.");
  const reasons = table(
    "Quotes not used, by reason",
    [{ label: "reason" }, { label: "quotes", number: true }, { label: "meaning", text: true }],
    counts.map(([reason, n]) => [words(reason), n, result.meanings[reason]]),
  );
  const rows = disclosure("Each quote", () =>
    table(
      "Quotes not used",
      [{ label: "row", number: true }, { label: "expiry" }, { label: "strike", number: true }, { label: "side" }, { label: "reason" }],
      result.dropped.map((d) => [d.row, d.expiry || "–", number(d.strike, 7), d.option_type, words(d.reason)]),
    ),
  );
  return h("div", {}, reasons, rows);
}

/** Return the quotes as a request to fit them has them. */
export function surfaceOf(result) {
  const hasSides = result.quotes.every((quote) => quote.bid != null);
  return {
    forwards: result.forwards,
    quotes: result.quotes.map(({ strike, maturity: years, option_type, price, bid, ask }) => ({
      strike,
      maturity: years,
      option_type,
      price,
      ...(hasSides ? { bid, ask } : {}),
    })),
  };
}
