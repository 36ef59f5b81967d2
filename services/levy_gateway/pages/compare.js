/** The fourth section: models side by side. */

import { send } from "./api.js";
import { byId, h, notes, table } from "./dom.js";
import { figuresOf, surfaceOf } from "./quotes.js";
import { interval, number, percent, points, words } from "./format.js";

const SLOW = /CIR$|Additive$/;

/** Compare the models that take less than a second, and the chosen one; show the ranking. */
export async function compare(quotes, options, names, choose) {
  const models = names.filter((name) => !SLOW.test(name) || name === options.model_type);
  const result = await send("POST", "/compare", {
    ...surfaceOf(quotes),
    ...(options.weights ? { weights: options.weights } : {}),
    models,
  });
  show(result, choose);
}

function show(result, choose) {
  const isOutOfSample = result.results.some((model) => model.held_out_expiries);
  const names = result.results.map((model) => model.model_type);
  byId("compared").replaceChildren(
    h("h2", { id: "compared-title" }, "Models compared"),
    h(
      "p",
      { class: "soft" },
      isOutOfSample
        ? "Best first, by the error on every other expiry, of a fit to the expiries between."
        : "Best first, by the error on every other strike, of a fit to the strikes between.",
      " Models on a random clock and additive models take seconds each: choose one above to include it.",
    ),
    figuresOf([
      ["best", names[0] ?? "none"],
      ["quotes", String(result.n_quotes)],
      ["unit of errors", words(result.weights)],
      ["time", `${number(result.comparison_time_ms / 1000, 3)} s`],
    ]),
    table(
      "Ranking of the models",
      [
        { label: "model" },
        { label: "unseen expiries, vol points", number: true },
        { label: "unseen strikes, vol points", number: true },
        { label: "fit, vol points", number: true },
        { label: "within the spread", number: true },
        { label: "status" },
        { label: "time, s", number: true },
        { label: "charts" },
      ],
      result.results.map((model) => [
        model.model_type,
        points(model.held_out_expiries?.implied_vol_rmse, 3),
        points(model.out_of_sample?.implied_vol_rmse, 3),
        points(model.fit_quality.implied_vol_rmse, 3),
        percent(model.in_spread_share, 0),
        [words(model.status), ...model.boundary_parameters].join(", "),
        number(model.calibration_time_ms / 1000, 3),
        h(
          "button",
          { type: "button", class: "small", click: () => choose(model.model_type), "aria-label": `Fit ${model.model_type}` },
          "Fit",
        ),
      ]),
    ),
    h("h3", {}, "Parameters side by side"),
    parameters(result),
    ...[
      notes(
        result.not_fitted.map((model) => `${model.model_type}: ${model.detail}`),
        "Not fitted",
      ),
      notes(result.warnings),
    ].filter(Boolean),
  );
  byId("compared").hidden = false;
}

function parameters(result) {
  return table(
    "Parameters side by side",
    [{ label: "model" }, { label: "parameter" }, { label: "value", number: true }, { label: "95% interval", number: true }],
    result.results.flatMap((model) =>
      Object.entries(model.parameters).map(([name, value]) => [
        model.model_type,
        name,
        number(value),
        interval(model.intervals?.[name], 4),
      ]),
    ),
  );
}
