/** Greeks of a fitted model, as a heat map of ratios of strike to forward and expiries. */

import { mapped, send } from "./api.js";
import { disclosure, h, table } from "./dom.js";
import { number, percent } from "./format.js";

const MONEYNESS = [0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2];
const MEANINGS = {
  price: "of a call",
  implied_vol: "of the model",
  delta: "derivative in the spot",
  gamma: "second derivative in the spot",
  vega: "Black’s, per vol point",
  theta: "per day",
  rho: "per percentage point of the rate",
  dividend_rho: "per percentage point of the dividend yield",
};
const UNITS = { vega: 0.01, theta: 1 / 365, rho: 0.01, dividend_rho: 0.01 };
const SHADES = 5;

/** Return a box with prices and Greeks, which are computed when it is opened. */
export function greeksBox(quotes, fit) {
  const box = h("div", {}, h("p", { class: "soft" }, "Computing…"));
  return disclosure("Prices and Greeks by strike and expiry", () => {
    greeksOf(quotes, fit).then(
      (values) => box.replaceChildren(...shown(quotes, fit, values)),
      (error) => box.replaceChildren(h("p", { class: "problem" }, error.message)),
    );
    return box;
  });
}

/** Return a matrix (expiry, moneyness) of each quantity, of calls. */
async function greeksOf(quotes, fit) {
  const replies = await mapped(fit.smiles, ({ expiry }) =>
    send("POST", "/price", {
      model_type: fit.result.model_type,
      parameters: fit.parametersAt(expiry.maturity),
      spot_price: quotes.spot ?? expiry.forward,
      risk_free_rate: expiry.rate,
      dividend_yield: quotes.spot == null ? expiry.rate : expiry.dividend_yield,
      strikes: MONEYNESS.map((ratio) => ratio * expiry.forward),
      maturities: [expiry.maturity],
      greeks: true,
    }),
  );
  const names = ["delta", "gamma", "vega", "theta", "rho", "dividend_rho"];
  return {
    price: replies.map((reply) => reply.prices[0]),
    implied_vol: replies.map((reply) => reply.implied_vols[0]),
    ...Object.fromEntries(
      names.map((name) => [
        name,
        replies.map(({ greeks }) => greeks[name][0].map((v) => (v == null ? null : v * (UNITS[name] ?? 1)))),
      ]),
    ),
  };
}

function shown(quotes, fit, values) {
  const holder = h("div");
  const select = h(
    "select",
    { "aria-label": "Quantity", change: () => holder.replaceChildren(heatMap(fit, select.value, values[select.value])) },
    Object.entries(MEANINGS).map(([name, meaning]) =>
      h("option", { value: name, selected: name === "delta" }, `${name.replaceAll("_", " ")}: ${meaning}`),
    ),
  );
  holder.append(heatMap(fit, "delta", values.delta));
  const spot = quotes.spot == null ? " The spot is unknown: derivatives are in the forward." : "";
  return [
    h("div", { class: "fields" }, h("label", {}, "Quantity ", select)),
    holder,
    h("p", { class: "soft" }, `Of calls. Dashes: the model does not determine the value.${spot}`),
  ];
}

function heatMap(fit, name, rows) {
  const known = rows.flat().filter((value) => value != null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const shade = (value) =>
    value == null ? null : `shade-${Math.min(SHADES - 1, Math.floor((SHADES * (value - low)) / (high - low || 1)))}`;
  const text = (value) => (name === "implied_vol" ? percent(value, 1) : number(value, 4));
  return table(
    `${name.replaceAll("_", " ")} by expiry and strike over forward`,
    [{ label: "expiry" }, ...MONEYNESS.map((ratio) => ({ label: percent(ratio, 0), number: true }))],
    rows.map((row, k) => [
      fit.smiles[k].expiry.name,
      ...row.map((value) => ({ text: text(value), class: shade(value) })),
    ]),
  );
}
