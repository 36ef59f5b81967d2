/** The second section: models, fits, and the curves of a fitted model. */

import { mapped, send } from "./api.js";
import { byId, h } from "./dom.js";
import { surfaceOf } from "./quotes.js";

const GROUPS = [
  ["Sato", "Sato processes: smiles that scale with maturity"],
  ["Additive", "Additive processes: parameters that move with maturity"],
  ["CIR", "Lévy processes on a random clock"],
  ["", "Lévy processes: one expiry, or few"],
];
const CURVE_POINTS = 61;
const MONEYNESS = [0.9, 1.0, 1.1];
const TERM_POINTS = 40;
const DENSITY_POINTS = 141;
const DENSITY_WIDTH = 5;

/** Fill the list of models; return the models by name, and the engines that can sample. */
export async function loadModels(defaultEngines) {
  const { catalogue, engines } = await send("GET", "/models");
  const groups = GROUPS.map(([suffix, label]) => [suffix, h("optgroup", { label })]);
  for (const { name } of catalogue) {
    const [, group] = groups.find(([suffix]) => name.endsWith(suffix));
    group.append(h("option", {}, name));
  }
  byId("model-type").replaceChildren(...groups.map(([, group]) => group).filter((g) => g.childElementCount));
  const models = new Map(catalogue.map((entry) => [entry.name, entry]));
  return { models, engines: engines.length ? engines : defaultEngines };
}

/** Return the options of the form. */
export function optionsOf(form) {
  const { model_type, method, weights, uncertainty, per_maturity } = form.elements;
  return {
    model_type: model_type.value,
    method: method.value,
    uncertainty: uncertainty.value,
    ...(weights.value ? { weights: weights.value } : {}),
    ...(per_maturity.checked ? { per_maturity: true } : {}),
  };
}

/** Fit a model, and return the result with the curves of the fitted model. */
export async function fitted(quotes, options) {
  const result = await send("POST", "/calibrate", { ...surfaceOf(quotes), ...options });
  const parametersAt = (years) =>
    result.parameters ?? result.per_maturity.find((fit) => fit.maturity === years)?.parameters;
  const expiries = quotes.expiries.filter((expiry) => parametersAt(expiry.maturity));
  const covariance = covarianceOf(result);
  const smiles = await mapped(expiries, (expiry) =>
    smileOf(quotes, expiry, result, parametersAt(expiry.maturity), covariance),
  );
  return { result, smiles, parametersAt, hasBand: covariance !== null };
}

/** Return the quotes of an expiry, with the model's volatilities, and its curve. */
async function smileOf(quotes, expiry, result, parameters, covariance) {
  const mine = quotes.quotes.filter((quote) => quote.maturity === expiry.maturity);
  const strikes = mine.map((quote) => quote.strike);
  const low = Math.min(...strikes);
  const high = Math.max(...strikes);
  const curve = Array.from({ length: CURVE_POINTS }, (_, k) => low * (high / low) ** (k / (CURVE_POINTS - 1)));
  const all = [...new Set([...strikes, ...curve])].sort((a, b) => a - b);
  const priced = await send("POST", "/price", {
    model_type: result.model_type,
    parameters,
    ...marketOf(expiry),
    strikes: all,
    maturities: [expiry.maturity],
    greeks: covariance !== null,
  });
  const vols = new Map(all.map((strike, k) => [strike, priced.implied_vols[0][k]]));
  const halfWidths = covariance ? all.map((_, k) => halfWidth(priced.greeks, k, covariance)) : [];
  return {
    expiry,
    quotes: mine.map((quote) => ({ ...quote, model_vol: vols.get(quote.strike) })),
    curve: all.map((strike, k) => {
      const vol = vols.get(strike);
      const half = vol == null ? null : halfWidths[k];
      return { strike, vol, low: half == null ? null : vol - half, high: half == null ? null : vol + half };
    }),
  };
}

/**
 * Return the covariance of the estimates, in units of the half-width of their 95% intervals: pairs
 * of parameters and a value. Null where an interval or a correlation is missing.
 */
export function covarianceOf({ intervals, correlations, parameters }) {
  if (!intervals || !correlations || !parameters) return null;
  const names = Object.keys(parameters);
  // An interval may end at the domain on one side: the other has the whole half-width.
  const half = (name) =>
    intervals[name] ? Math.max(...intervals[name].map((end) => Math.abs(end - parameters[name]))) : NaN;
  const entries = names.flatMap((a) =>
    names.map((b) => [a, b, half(a) * half(b) * (a === b ? 1 : (correlations[a][b] ?? NaN))]),
  );
  return entries.every(([, , value]) => Number.isFinite(value)) ? entries : null;
}

/**
 * Return the half-width of the 95% band of an implied volatility, by the delta method.
 *
 * The derivative of the volatility in a parameter is that of the price over Black's vega.
 */
function halfWidth({ parameters, vega }, k, covariance) {
  const slope = (name) => parameters[name][0][k] / vega[0][k];
  if (!(vega[0][k] > 0)) return null;
  const variance = covariance.reduce((sum, [a, b, value]) => sum + slope(a) * slope(b) * value, 0);
  return variance >= 0 ? Math.sqrt(variance) : null;
}

/** Return spot and rates that give an expiry its forward and discount. */
export function marketOf({ forward, rate }) {
  return { spot_price: forward, risk_free_rate: rate, dividend_yield: rate };
}

/** Return implied volatilities of a model by maturity, at some ratios of strike to forward. */
export async function termStructure(quotes, fit) {
  const years = quotes.expiries.map((expiry) => expiry.maturity);
  const [low, high] = [years[0], years.at(-1)];
  const maturities = fit.result.parameters
    ? Array.from({ length: TERM_POINTS }, (_, k) => low * (high / low) ** (k / (TERM_POINTS - 1)))
    : [];
  const isOne = low === high;
  const priced =
    maturities.length && !isOne
      ? await send("POST", "/price", {
          model_type: fit.result.model_type,
          parameters: fit.result.parameters,
          ...marketOf({ forward: 1, rate: 0 }),
          strikes: MONEYNESS,
          maturities,
        })
      : { implied_vols: [] };
  return MONEYNESS.map((moneyness, k) => ({
    moneyness,
    model: priced.implied_vols.map((row, i) => ({ x: maturities[i], y: row[k] == null ? null : row[k] ** 2 * maturities[i] })),
    market: fit.smiles
      .map(({ expiry, quotes: mine }) => ({ x: expiry.maturity, y: interpolated(mine, moneyness * expiry.forward) }))
      .filter(({ y }) => y != null)
      .map(({ x, y }) => ({ x, y: y ** 2 * x })),
  }));
}

/** Return the market's volatility at a strike between quotes, or null beyond them. */
function interpolated(quotes, strike) {
  const ordered = quotes.filter((q) => q.implied_vol != null).sort((a, b) => a.strike - b.strike);
  const k = ordered.findIndex((quote) => quote.strike >= strike);
  if (k < 0 || (k === 0 && ordered[0].strike > strike)) return null;
  if (ordered[k].strike === strike) return ordered[k].implied_vol;
  const [a, b] = [ordered[k - 1], ordered[k]];
  const share = Math.log(strike / a.strike) / Math.log(b.strike / a.strike);
  return a.implied_vol + share * (b.implied_vol - a.implied_vol);
}

/**
 * Return the risk-neutral density of ln(S_T/F) at an expiry.
 *
 * For spot = forward = 1 and no rate, prices are homogeneous in spot and strike: the second
 * derivative in the strike K is gamma / K², and the density in ln K is K times that.
 */
export async function densityOf(fit, expiry) {
  const width = DENSITY_WIDTH * (expiry.atm_vol || 0.2) * Math.sqrt(expiry.maturity);
  const logs = Array.from({ length: DENSITY_POINTS }, (_, k) => width * ((2 * k) / (DENSITY_POINTS - 1) - 1));
  const strikes = logs.map(Math.exp);
  const { greeks } = await send("POST", "/price", {
    model_type: fit.result.model_type,
    parameters: fit.parametersAt(expiry.maturity),
    ...marketOf({ forward: 1, rate: 0 }),
    strikes,
    maturities: [expiry.maturity],
    greeks: true,
  });
  return logs.map((x, k) => ({ x, y: greeks.gamma[0][k] == null ? null : greeks.gamma[0][k] / strikes[k] }));
}
