/** A model fitted to each date of a file: its parameters through time. */

import { mapped, send } from "./api.js";
import { figure } from "./charts.js";
import { byId, h, notes, table } from "./dom.js";
import { fixed, interval, number, points, words } from "./format.js";
import { surfaceOf } from "./quotes.js";

const MAX_DATES = 60;
const HEIGHT = 120;
const DAY = 86_400_000;

/** Fit every date of a request, the last ones of many, and show the parameters. */
export async function fitDates(request, dates, options, report) {
  const chosen = dates.slice(-MAX_DATES);
  const days = await mapped(chosen, async (date) => {
    const day = await dayOf(request, date, options);
    report(date);
    return day;
  });
  show(days, options.model_type, dates.length - chosen.length);
}

async function dayOf(request, date, options) {
  try {
    const quotes = await send("POST", "/quotes", { ...request, date });
    const result = await send("POST", "/calibrate", { ...surfaceOf(quotes), ...options, per_maturity: false });
    return { date, result };
  } catch (error) {
    return { date, problem: error.message };
  }
}

function show(days, model, nOmitted) {
  const fits = days.filter(({ result }) => result);
  const names = fits.length ? Object.keys(fits[0].result.parameters) : [];
  byId("dates").replaceChildren(
    h("h2", { id: "dates-title" }, `${model} by date`),
    h(
      "p",
      { class: "soft" },
      "Each date is fitted alone; bars are 95% intervals. ",
      "On the command line, levy follow starts each date at the parameters of the one before, or filters them.",
    ),
    ...[
      notes(nOmitted ? [`The last ${days.length} dates are fitted; ${nOmitted} earlier ones are not.`] : []),
      notes(days.filter(({ problem }) => problem).map(({ date, problem }) => `${date}: ${problem}`), "Not fitted"),
    ].filter(Boolean),
    h("div", { class: "charts wide" }, fits.length ? [...names.map((name) => path(name, fits)), errors(fits)] : []),
    h("h3", {}, "Parameters by date"),
    table(
      "Parameters by date",
      [{ label: "date" }, ...[...names, "RMSE, vol points"].map((label) => ({ label, number: true })), { label: "status" }],
      fits.map(({ date, result }) => [
        date,
        ...names.map((name) => number(result.parameters[name])),
        points(result.fit_quality.implied_vol_rmse, 3),
        [words(result.status), ...result.boundary_parameters].join(", "),
      ]),
    ),
  );
  byId("dates").hidden = false;
}

const dayNumber = (date) => Date.parse(date.slice(0, 10)) / DAY;

function axis(fits) {
  const ticks = fits.map(({ date }) => ({ value: dayNumber(date), label: date.slice(5, 10) }));
  const [first, last] = [ticks[0].value, ticks.at(-1).value];
  const pad = Math.max(0.5, 0.03 * (last - first));
  return { label: "date", values: [first - pad, last + pad], ticks };
}

function path(name, fits) {
  const data = fits.map(({ date, result }) => {
    const [low, high] = result.intervals?.[name] ?? [null, null];
    return { x: dayNumber(date), y: result.parameters[name], low, high, title: date };
  });
  const dots = data.map(({ x, y, title }) => ({ x, y, title }));
  return figure(
    {
      title: `${name} by date`,
      description: `Estimates of ${name} at ${data.length} dates.`,
      x: axis(fits),
      panels: [
        {
          label: name,
          height: HEIGHT,
          marks: [
            { kind: "bar", class: "bar", data: data.filter(({ low }) => low != null).map(({ x, low, high }) => ({ x, low, high })) },
            { kind: "line", class: "line", data: dots },
            { kind: "dot", class: "dot-2", data: dots },
          ],
        },
      ],
    },
    {
      columns: [{ label: "date" }, { label: name, number: true }, { label: "95% interval", number: true }],
      rows: () => fits.map(({ date, result }) => [date, number(result.parameters[name]), interval(result.intervals?.[name])]),
    },
  );
}

function errors(fits) {
  const data = fits.map(({ date, result }) => ({ x: dayNumber(date), y: 100 * result.fit_quality.implied_vol_rmse }));
  return figure(
    {
      title: "Error by date",
      description: "Root mean square error of implied volatility, in points.",
      x: axis(fits),
      panels: [{ label: "RMSE, pts", height: HEIGHT, zero: true, marks: [{ kind: "line", class: "line-2", data }, { kind: "dot", class: "dot", data }] }],
    },
    {
      columns: [{ label: "date" }, { label: "RMSE, vol points", number: true }],
      rows: () => fits.map(({ date }, k) => [date, fixed(data[k].y, 3)]),
    },
  );
}
