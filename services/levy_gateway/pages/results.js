/** The third section: a fitted model. */

import { figure, legend } from "./charts.js";
import { byId, disclosure, h, notes, table } from "./dom.js";
import { densityOf, termStructure } from "./fit.js";
import { greeksBox } from "./greeks.js";
import { fixed, interval, maturity, number, percent, points, sentence, tenors, words } from "./format.js";
import { correlations } from "./posterior.js";
import { figuresOf } from "./quotes.js";
import { surfaceBox } from "./surface.js";

const SMILE_HEIGHT = 170;
const RESIDUAL_HEIGHT = 56;
const FLAT = /nu → 0|lam → 0|alpha → ∞, delta → ∞|a → 0, d → ∞|G → ∞, M → ∞|lambda_p → ∞.*lambda_m → ∞/;
/** Other limits of models, and what they mean. */
const LIMITS = [
  [/_2\b/, "the second component of the model is not needed; use the Sato process of the same base"],
  [/^(M|eta1|lambda_p) → ∞/, "the quotes need no upward jumps, or contain few calls out of the money; add calls, or use a model with fewer parameters"],
  [/^(G|eta2|lambda_m) → 0/, "the left tail does not end within the quoted strikes; add puts with low strikes"],
  [/^Y → 2/, "the model is nearly Brownian, with heavy tails; try NIG, or several expiries with a Sato process"],
];
/** Vol points; smaller errors are not enlarged. */
const SMALL_ERROR = 0.01;

/** Show a fit; `downloads` are the elements that save it. */
export async function showFit(quotes, fit, entry, downloads) {
  const { result } = fit;
  const section = byId("fitted");
  const isGood = result.status === "converged";
  const status = [words(result.status), ...result.boundary_parameters].join(", ");
  const term = await termStructure(quotes, fit);
  section.replaceChildren(
    h(
      "h2",
      { id: "fitted-title" },
      `${result.model_type} fitted`,
      h("span", { class: isGood ? "badge" : "badge warn" }, status),
    ),
    h("p", { class: "soft" }, sentence(result.reason)),
    headline(fit),
    ...[notes(result.warnings), boundaryNotes(result)].filter(Boolean),
    h("h3", {}, result.per_maturity ? "Parameters of each expiry" : "Parameters"),
    parameters(result, entry),
    result.correlations ? disclosure("Correlations of the estimates", () => correlations(result.correlations)) : "",
    h("h3", {}, "Smiles"),
    ...smiles(fit),
    h("h3", {}, "Term structure and density"),
    h("div", { class: "charts wide" }, totalVariance(term), densityBox(fit)),
    h("h3", {}, "Surface"),
    surfaceBox(fit),
    h("h3", {}, "Errors by expiry"),
    byExpiry(result, quotes),
    h("h3", {}, "Moments of the log return"),
    moments(result, quotes),
    h("h3", {}, "Greeks"),
    greeksBox(quotes, fit),
    h("h3", {}, "Save and share"),
    downloads,
  );
  section.hidden = false;
}

/** Explain parameters at a bound, or return null without any. */
function boundaryNotes(result) {
  const limits = result.boundary_parameters;
  if (!limits.length) return null;
  const meaning = (limit) => LIMITS.find(([pattern]) => pattern.test(limit))?.[1] ?? "the quotes do not determine it";
  return notes(
    [
      ...(FLAT.test(limits.join(", "))
        ? [`${limits.join(", ")}: the smile is nearly flat; Black-Scholes is sufficient.`]
        : limits.map((limit) => `${limit}: ${meaning(limit)}.`)),
      "The prices of the fit can be used. The parameter at the bound, and moments that depend on it, cannot. " +
        "“Compare models” shows whether another model fits as well without a bound.",
    ],
    "The best fit is a limit of the model",
  );
}

function headline({ result, smiles: all }) {
  const quality = result.fit_quality;
  const quoted = all.flatMap(({ quotes }) => quotes).filter((q) => q.bid_vol != null && q.ask_vol != null);
  const inside = quoted.filter((q) => q.model_vol >= q.bid_vol && q.model_vol <= q.ask_vol).length;
  return figuresOf([
    ["quotes fitted", String(quality.n_quotes)],
    ["RMSE, vol points", points(quality.implied_vol_rmse, 3)],
    ["within the spread", quoted.length ? percent(inside / quoted.length, 0) : "no spreads"],
    ["RMSE, price", number(quality.rmse, 3)],
    ["time", `${number(result.calibration_time_ms, 3)} ms`],
  ]);
}

function parameters(result, entry) {
  if (result.per_maturity) {
    const names = Object.keys(result.per_maturity[0].parameters);
    const head = [{ label: "expiry" }, ...names.map((label) => ({ label, number: true })), { label: "status" }];
    return table(
      "Parameters of each expiry",
      head,
      result.per_maturity.map((fit) => [
        maturity(fit.maturity),
        ...names.map((name) => number(fit.parameters[name])),
        words(fit.status),
      ]),
    );
  }
  const declared = new Map(entry.parameters.map((parameter) => [parameter.name, parameter]));
  const kind = result.uncertainty ? `95% interval (${words(result.uncertainty)})` : "95% interval";
  return table(
    "Parameters",
    [
      { label: "parameter" },
      { label: "value", number: true },
      { label: kind, number: true },
      { label: "unit" },
      { label: "meaning", text: true },
    ],
    Object.entries(result.parameters).map(([name, value]) => [
      [...new Set([declared.get(name)?.symbol ?? "", name])].join(" ").trim(),
      number(value, 6),
      interval(result.intervals?.[name]),
      declared.get(name)?.unit ?? "",
      declared.get(name)?.meaning ?? "",
    ]),
  );
}

function smiles(fit) {
  const grid = h("div", { class: "charts", id: "smiles" }, fit.smiles.map(smile));
  const hasSides = fit.smiles.some(({ quotes }) => quotes.some((q) => q.bid_vol != null));
  return [
    legend([
      hasSides ? ["bar", "market, bid to ask"] : ["dot", "market"],
      ["line", "model"],
      ...(fit.hasBand ? [["band", "95% interval of the model"]] : []),
      ["stem", "model minus market, vol points"],
      ...(hasSides ? [["stem outside", "the same, outside the spread"]] : []),
    ]),
    grid,
  ];
}

function smile({ expiry, quotes, curve }) {
  const ratio = (strike) => strike / expiry.forward;
  const isOutside = (q) =>
    q.bid_vol != null && q.ask_vol != null && (q.model_vol < q.bid_vol || q.model_vol > q.ask_vol);
  const text = (q) => `strike ${number(q.strike, 7)}, market ${percent(q.implied_vol)}, model ${percent(q.model_vol)}`;
  const known = quotes.filter((q) => q.implied_vol != null);
  const rows = [...quotes].sort((a, b) => a.strike - b.strike);
  const ends = new Map(curve.map((point) => [point.strike, point]));
  const bandAt = (strike) => {
    const { low, high } = ends.get(strike);
    return low == null ? "–" : `${percent(low)} to ${percent(high)}`;
  };
  const worst = Math.max(...known.map((q) => Math.abs(q.model_vol - q.implied_vol)));
  const chart = {
    title: expiry.name,
    note: `${maturity(expiry.maturity)}, forward ${number(expiry.forward, 6)}`,
    description:
      `Implied volatility against strike over forward: ${known.length} quotes at ${percent(expiry.atm_vol)} ` +
      `at the forward; the largest error of the model is ${points(worst)} vol points.`,
    x: { label: "strike / forward", values: curve.map(({ strike }) => ratio(strike)) },
    panels: [
      {
        label: "implied volatility",
        height: SMILE_HEIGHT,
        format: (value) => `${number(100 * value, 3)}%`,
        marks: [
          {
            kind: "band",
            class: "band",
            data: curve.map(({ strike, low, high }) => ({ x: ratio(strike), low, high })),
          },
          {
            kind: "bar",
            class: "bar",
            data: known
              .filter((q) => q.bid_vol != null && q.ask_vol != null)
              .map((q) => ({ x: ratio(q.strike), low: q.bid_vol, high: q.ask_vol, title: text(q) })),
          },
          {
            kind: "dot",
            class: "dot",
            data: known
              .filter((q) => q.bid_vol == null || q.ask_vol == null)
              .map((q) => ({ x: ratio(q.strike), y: q.implied_vol, title: text(q) })),
          },
          { kind: "line", class: "line", data: curve.map(({ strike, vol }) => ({ x: ratio(strike), y: vol })) },
        ],
      },
      {
        label: "error, pts",
        height: RESIDUAL_HEIGHT,
        zero: true,
        extent: [-SMALL_ERROR, SMALL_ERROR],
        marks: [
          {
            kind: "stem",
            class: "stem",
            data: known
              .filter((q) => q.model_vol != null)
              .map((q) => ({
                x: ratio(q.strike),
                y: 100 * (q.model_vol - q.implied_vol),
                class: isOutside(q) ? "outside" : "",
                title: text(q),
              })),
          },
        ],
      },
    ],
  };
  return figure(chart, {
    columns: [
      { label: "strike", number: true },
      { label: "side" },
      ...["bid vol", "ask vol", "market vol", "model vol", "95% interval", "error"].map((label) => ({ label, number: true })),
    ],
    rows: () =>
      rows.map((q) => [
        number(q.strike, 7),
        q.option_type,
        percent(q.bid_vol),
        percent(q.ask_vol),
        percent(q.implied_vol),
        percent(q.model_vol),
        bandAt(q.strike),
        q.implied_vol == null || q.model_vol == null ? "–" : points(q.model_vol - q.implied_vol),
      ]),
  });
}

function maturityAxis(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const ticks = tenors(low, high);
  const ends = [low, high].map((value) => ({ value, label: maturity(value) }));
  return { label: "maturity", values, scale: Math.sqrt, ticks: ticks.length >= 2 ? ticks : ends };
}

function totalVariance(term) {
  const kinds = ["2", "", "3"];
  const years = term.flatMap(({ market }) => market.map(({ x }) => x));
  const name = (kind, k) => (kinds[k] ? `${kind}-${kinds[k]}` : kind);
  const labels = term.map(({ moneyness }) => `${Math.round(100 * moneyness)}% of the forward`);
  const chart = {
    title: "Total implied variance",
    note: "points: market, lines: model",
    description: "Implied variance times maturity at strikes of 90%, 100% and 110% of the forward.",
    x: maturityAxis(years),
    panels: [
      {
        label: "σ²T",
        height: 230,
        zero: true,
        marks: term.flatMap(({ market, model }, k) => [
          { kind: "dot", class: ["dot", "dot-2", "dot-3"][k], data: market },
          { kind: "line", class: name("line", k), data: model },
        ]),
      },
    ],
  };
  const box = figure(chart, {
    columns: [{ label: "strike / forward" }, ...["years", "market σ²T"].map((label) => ({ label, number: true }))],
    rows: () => term.flatMap(({ market }, k) => market.map(({ x, y }) => [labels[k], fixed(x, 4), number(y, 4)])),
  });
  box.querySelector("figcaption").after(legend(labels.map((label, k) => [name("line", k), label])));
  return box;
}

function densityBox(fit) {
  const select = h(
    "select",
    { "aria-label": "Expiry of the density" },
    fit.smiles.map(({ expiry }, k) => h("option", { value: k }, `${expiry.name} (${maturity(expiry.maturity)})`)),
  );
  const holder = h("div", { "aria-live": "polite" });
  const show = async () => {
    const { expiry } = fit.smiles[Number(select.value)];
    const density = await densityOf(fit, expiry);
    const width = expiry.atm_vol * Math.sqrt(expiry.maturity);
    const normal = density.map(({ x }) => ({
      x,
      y: Math.exp(-((x / width + width / 2) ** 2) / 2) / (width * Math.sqrt(2 * Math.PI)),
    }));
    const box = figure(
      {
        title: `Implied density, ${expiry.name}`,
        description: "Risk-neutral density of the log of the price at expiry over the forward.",
        x: { label: "ln(price at expiry / forward)", values: density.map(({ x }) => x) },
        panels: [
          {
            label: "density",
            height: 230,
            zero: true,
            marks: [
              { kind: "line", class: "line-3", data: normal },
              { kind: "line", class: "line", data: density },
            ],
          },
        ],
      },
      {
        columns: ["ln(S/F)", "model", "normal"].map((label) => ({ label, number: true })),
        rows: () => density.map(({ x, y }, k) => [fixed(x, 3), number(y, 4), number(normal[k].y, 4)]),
      },
    );
    box.querySelector("figcaption").after(
      legend([
        ["line", "model"],
        ["line-3", "normal, of the volatility at the forward"],
      ]),
    );
    holder.replaceChildren(box);
  };
  select.addEventListener("change", show);
  show();
  return h("div", {}, holder, h("label", { class: "soft" }, "Expiry ", select));
}

function byExpiry(result, quotes) {
  const names = new Map(quotes.expiries.map((expiry) => [expiry.maturity, expiry.name]));
  return table(
    "Errors by expiry",
    [
      { label: "expiry" },
      ...["years", "quotes", "RMSE, vol points", "mean error, vol points"].map((label) => ({ label, number: true })),
    ],
    result.fit_by_maturity.map((fit) => [
      names.get(fit.maturity) ?? maturity(fit.maturity),
      fixed(fit.maturity, 4),
      fit.fit_quality.n_quotes,
      points(fit.fit_quality.implied_vol_rmse),
      points(fit.mean_vol_error),
    ]),
  );
}

function moments(result, quotes) {
  const names = new Map(quotes.expiries.map((expiry) => [expiry.maturity, expiry.name]));
  const kinds = ["variance", "skewness", "excess_kurtosis"];
  const cells = (values) =>
    kinds.flatMap((kind) => [
      number(values?.[kind]?.value, 4),
      `${interval(values?.[kind]?.interval, 5)}${values?.[kind]?.is_extrapolated ? " *" : ""}`,
    ]);
  const rows = result.fit_by_maturity.map((fit) => [names.get(fit.maturity) ?? maturity(fit.maturity), ...cells(fit.moments)]);
  if (result.moments) rows.push(["one year", ...cells(result.moments)]);
  const head = kinds.flatMap((kind) => [
    { label: words(kind), number: true },
    { label: "95% interval", number: true },
  ]);
  const isExtrapolated = rows.some((row) => row.some((cell) => cell.endsWith("*")));
  return h(
    "div",
    {},
    table("Moments of the log return", [{ label: "expiry" }, ...head], rows),
    isExtrapolated
      ? h("p", { class: "soft" }, "* depends mostly on strikes or maturities beyond the quotes: valid only if the model’s tails are right.")
      : null,
  );
}
