/** The fifth section: a Bayesian job, from its start to the posterior. */

import { fileOf, send } from "./api.js";
import { byId, h, notes, table } from "./dom.js";
import { save } from "./download.js";
import { count, duration, interval, number, percent, sentence } from "./format.js";
import { histograms, pairsBox } from "./posterior_charts.js";
import { figuresOf, surfaceOf } from "./quotes.js";

const JOBS = "/calibrate/bayesian";
const POLL_MILLISECONDS = 700;
const SHADES = 5;
const STAGES = {
  queued: "queued",
  fitting: "fitting",
  compiling: "compiling",
  warmup: "warm-up",
  sampling: "sampling",
  summarising: "summarising",
};

/** Show the choices of a job; `submit` is called with them. */
export function showSampling(engines, submit) {
  const section = byId("posterior");
  const engine = h(
    "select",
    { name: "engine" },
    engines.map((name) => h("option", { selected: name === "laplace-psis" }, name)),
  );
  const likelihood = h(
    "select",
    { name: "likelihood" },
    h("option", { value: "discrepancy" }, "correlated, by a discrepancy of the model"),
    h("option", { value: "normal" }, "independent, normal"),
    h("option", { value: "student_t" }, "independent, Student’s t"),
  );
  const form = h(
    "form",
    { id: "sample-form", novalidate: true },
    h(
      "div",
      { class: "fields" },
      h("label", {}, "Engine ", engine),
      h("label", {}, "Errors of the quotes ", likelihood),
    ),
    h(
      "p",
      { class: "soft" },
      "laplace-psis takes seconds and states when it is unreliable; the others draw by MCMC or fit a variational " +
        "distribution, after compilation of up to a minute.",
    ),
    h(
      "p",
      { class: "actions" },
      h("button", { type: "submit", class: "main", id: "start-job" }, "Start"),
      h("span", { class: "status", role: "status", id: "job-status" }),
    ),
    h("div", { class: "problem", role: "alert" }),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(form, { engine: engine.value, likelihood: likelihood.value });
  });
  section.replaceChildren(
    h("h2", { id: "posterior-title" }, "Posterior"),
    form,
    h("div", { id: "job" }),
    h("div", { id: "posterior-result" }),
  );
  section.hidden = false;
  section.scrollIntoView({ block: "nearest" });
  engine.focus();
}

/** Start a job, show its progress, and return its last status. */
export async function sample(quotes, options, choices) {
  const accepted = await send("POST", JOBS, {
    ...surfaceOf(quotes),
    model_type: options.model_type,
    ...(options.weights ? { weights: options.weights } : {}),
    ...choices,
  });
  return followed(accepted.status_url);
}

async function followed(url) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Progress of the job" });
  const text = h("p", { class: "soft", id: "job-progress" });
  const stages = h("ol", { class: "stages", "aria-label": "Stages of the job" });
  const cancel = h("button", { type: "button", class: "small", click: () => send("DELETE", url) }, "Cancel");
  byId("job").replaceChildren(stages, bar, text, h("p", { class: "actions" }, cancel));
  byId("posterior-result").replaceChildren();
  for (;;) {
    const job = await send("GET", url);
    // Without a value the bar shows work of unknown length, such as compilation.
    if (job.progress > 0) bar.value = job.progress;
    else bar.removeAttribute("value");
    stages.replaceChildren(...stagesOf(job.stage));
    text.textContent = described(job);
    if (!["queued", "running"].includes(job.status)) {
      byId("job").replaceChildren();
      if (job.problem) throw Object.assign(new Error(job.problem.detail), { title: job.problem.title });
      if (job.result) show(job.result, url);
      return job.status;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
}

/** Return the stages as items of a list; the present one is marked. */
function stagesOf(stage) {
  return Object.entries(STAGES).map(([name, label]) =>
    h("li", { "aria-current": name === stage ? "step" : null }, label),
  );
}

const ago = (time) => `${duration(Math.max(0, (Date.now() - Date.parse(time)) / 1000))} ago`;

function described(job) {
  const { draws, r_hat: rHat } = job.diagnostics ?? {};
  const since = job.started_at ?? job.created_at;
  const place = job.queue_position;
  const parts = [
    STAGES[job.stage] ?? job.status,
    place == null ? null : place === 1 ? "next in the queue" : `number ${place} in the queue`,
    job.stage_progress == null ? null : `${percent(job.stage_progress, 0)} of this stage`,
    job.progress > 0 ? `${percent(job.progress, 0)} of the job` : null,
    draws ? count(draws, "draw") : null,
    rHat ? `R-hat ${number(rHat, 4)}` : null,
    since ? `${job.started_at ? "started" : "submitted"} ${ago(since)}` : null,
    job.remaining_seconds == null ? null : `about ${duration(job.remaining_seconds)} left`,
  ];
  return sentence(parts.filter(Boolean).join(", "));
}

function show(result, url) {
  const hasEss = Object.values(result.parameters).some((p) => p.ess_bulk != null);
  const isMcmc = Object.values(result.parameters).some((p) => p.r_hat != null);
  const columns = [
    { label: "parameter" },
    ...["mean", "sd", "median", "95% interval"].map((label) => ({ label, number: true })),
    ...(isMcmc ? [{ label: "R-hat", number: true }] : []),
    ...(hasEss ? [{ label: "effective draws", number: true }] : []),
  ];
  const { misfit } = result;
  byId("posterior-result").replaceChildren(
    h(
      "h3",
      {},
      `${result.model_type} by ${result.engine} `,
      h("span", { class: result.converged ? "badge" : "badge warn" }, result.converged ? "converged" : "not converged"),
    ),
    h("p", { class: "soft" }, sentence(result.reason)),
    figuresOf([
      ["draws", String(result.draws)],
      ...(result.pareto_k == null ? [["divergences", String(result.divergences)]] : [["Pareto k", number(result.pareto_k, 3)]]),
      ["misfit", misfit?.detected ? "detected" : "none"],
      ["RMSE, vol points", misfit?.rmse_vol_points == null ? "–" : number(misfit.rmse_vol_points, 3)],
      ["time", `${number(result.seconds, 3)} s`],
    ]),
    ...[notes(result.warnings)].filter(Boolean),
    table(
      "Posterior of the parameters",
      columns,
      Object.entries(result.parameters).map(([name, p]) => [
        name,
        number(p.mean),
        number(p.sd, 3),
        number(p.median),
        interval(p.interval, 4),
        ...(isMcmc ? [number(p.r_hat, 4)] : []),
        ...(hasEss ? [number(p.ess_bulk, 4)] : []),
      ]),
    ),
    ...drawsOf(result),
    h("h3", {}, "Posterior correlations"),
    correlations(result.correlations),
    h(
      "p",
      { class: "actions" },
      h(
        "button",
        { type: "button", click: async () => save("posterior.nc", await fileOf(`${url}/inference-data`)) },
        "Draws (netCDF, for ArviZ)",
      ),
    ),
  );
}

/** Return charts of the draws, none for results of former versions, which lack them. */
function drawsOf(result) {
  if (!Object.keys(result.thinned_draws ?? {}).length) return [];
  return [h("h3", {}, "Draws"), histograms(result), pairsBox(result)];
}

/** Return a matrix of correlations as a table whose cells are shaded by size. */
export function correlations(matrix) {
  const names = Object.keys(matrix);
  const shade = (value) => `shade-${Math.min(SHADES - 1, Math.floor(SHADES * Math.abs(value)))}`;
  return table(
    "Correlations",
    [{ label: "parameter" }, ...names.map((label) => ({ label, number: true }))],
    names.map((a) => [a, ...names.map((b) => ({ text: number(matrix[a][b], 2), class: a === b ? null : shade(matrix[a][b]) }))]),
  );
}
