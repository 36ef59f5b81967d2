/** Charts of the draws of a posterior: a histogram of each parameter, and pairs of parameters. */

import { figure } from "./charts.js";
import { h } from "./dom.js";
import { interval, number } from "./format.js";

const BINS = 24;
const HISTOGRAM_HEIGHT = 120;
const PAIR_HEIGHT = 260;

/** Return a histogram of the draws of each parameter. */
export function histograms(result) {
  const entries = Object.entries(result.thinned_draws);
  return h("div", { class: "charts" }, entries.map(([name, draws]) => histogram(name, draws, result.parameters[name])));
}

function histogram(name, draws, summary) {
  const bins = binsOf(draws);
  const edges = [bins[0].from, bins.at(-1).to];
  const steps = bins.flatMap(({ from, to, n }) => [from, to].map((x) => ({ x, low: 0, high: n })));
  const most = Math.max(...bins.map(({ n }) => n));
  const line = (x) => [{ x, y: 0 }, { x, y: most }];
  return figure(
    {
      title: `Posterior of ${name}`,
      note: `mean ${number(summary.mean, 4)}, 95% ${interval(summary.interval, 4)}`,
      description: `Histogram of ${draws.length} draws; lines: mean and ends of the 95% interval.`,
      x: { label: name, values: [...edges, ...summary.interval] },
      panels: [
        {
          label: "draws",
          height: HISTOGRAM_HEIGHT,
          zero: true,
          extent: [0, most],
          marks: [
            { kind: "band", class: "histogram", data: steps },
            { kind: "line", class: "line", data: line(summary.mean) },
            ...summary.interval.map((end) => ({ kind: "line", class: "line-3", data: line(end) })),
          ],
        },
      ],
    },
    {
      columns: ["from", "to", "draws"].map((label) => ({ label, number: true })),
      rows: () => bins.map(({ from, to, n }) => [number(from, 4), number(to, 4), n]),
    },
  );
}

/** Return bins of equal width that contain all values. */
function binsOf(values) {
  const low = Math.min(...values);
  const width = (Math.max(...values) - low) / BINS || 1e-9;
  const bins = Array.from({ length: BINS }, (_, k) => ({ from: low + k * width, to: low + (k + 1) * width, n: 0 }));
  for (const value of values) bins[Math.min(BINS - 1, Math.floor((value - low) / width))].n += 1;
  return bins;
}

/** Return a box with the draws of two parameters, at first those with the largest correlation. */
export function pairsBox(result) {
  const names = Object.keys(result.thinned_draws);
  const pairs = names.flatMap((a, k) => names.slice(k + 1).map((b) => [a, b]));
  if (!pairs.length) return "";
  const size = ([a, b]) => Math.abs(result.correlations[a][b]);
  const first = pairs.reduce((best, pair) => (size(pair) > size(best) ? pair : best));
  const holder = h("div", { "aria-live": "polite" });
  const select = h(
    "select",
    {},
    pairs.map((pair, k) => h("option", { value: k, selected: pair === first }, pair.join(" and "))),
  );
  const show = () => holder.replaceChildren(pairChart(result, pairs[Number(select.value)]));
  select.addEventListener("change", show);
  show();
  return h("div", {}, h("div", { class: "fields" }, h("label", {}, "Pair of parameters ", select)), holder);
}

function pairChart(result, [a, b]) {
  const data = result.thinned_draws[a].map((x, k) => ({ x, y: result.thinned_draws[b][k] }));
  return figure(
    {
      title: `Draws of ${a} and ${b}`,
      note: `correlation ${number(result.correlations[a][b], 2)}`,
      description: `${data.length} draws of the posterior.`,
      x: { label: a, values: data.map(({ x }) => x) },
      panels: [{ label: b, height: PAIR_HEIGHT, marks: [{ kind: "dot", class: "dot", data }] }],
    },
    {
      columns: [a, b].map((label) => ({ label, number: true })),
      rows: () => data.map(({ x, y }) => [number(x), number(y)]),
    },
  );
}
