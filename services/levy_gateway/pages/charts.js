/** Charts as SVG: panels with a common horizontal axis. Colours are those of the style sheet. */

import { disclosure, h, s, table } from "./dom.js";
import { number } from "./format.js";
import { savePicture } from "./download.js";

const LEFT = 66;
const RIGHT = 16;
const GAP = 14;
const AXIS = 38;
const TOP = 8;
const DEFAULT_WIDTH = 360;
const NARROWEST = 160;
const SHORTEST_BAR = 4;
let count = 0;

/**
 * Return a figure: a chart, its table, and buttons that save it.
 *
 * `chart` has `title`, `description`, `x` and `panels` as `drawn` takes them; `twin` has the
 * columns and a function that returns the rows of the table.
 */
export function figure(chart, twin) {
  const holder = h("div", { class: "chart" });
  let width = 0;
  const draw = () => {
    const wanted = Math.max(NARROWEST, Math.round(holder.clientWidth || DEFAULT_WIDTH));
    if (wanted === width) return;
    width = wanted;
    holder.replaceChildren(drawn(chart, width));
  };
  draw();
  new ResizeObserver(draw).observe(holder);
  const save = (kind) => () => savePicture(holder.firstChild, chart.title, kind);
  const button = (kind) =>
    h(
      "button",
      { type: "button", class: "small", click: save(kind), "aria-label": `Save ${chart.title} as ${kind}` },
      kind,
    );
  return h(
    "figure",
    {},
    h("figcaption", {}, h("span", {}, chart.title), chart.note ? h("small", {}, chart.note) : null),
    holder,
    h(
      "div",
      { class: "twin" },
      disclosure("Table", () => table(chart.title, twin.columns, twin.rows())),
      h("span", { class: "save" }, button("SVG"), button("PNG")),
    ),
  );
}

/** Return the explanation of marks as an element. */
export function legend(entries) {
  return h(
    "ul",
    { class: "legend", "aria-label": "Legend" },
    entries.map(([name, text]) =>
      h(
        "li",
        {},
        s("svg", { viewBox: "0 0 22 12", width: 22, height: 12, "aria-hidden": "true" }, sample(name)),
        text,
      ),
    ),
  );
}

function sample(name) {
  if (name.startsWith("line")) return s("path", { d: "M1 6H21", class: name });
  if (name === "band") return s("path", { d: "M1 1H21V11H1Z", class: name });
  if (name.startsWith("dot")) return s("circle", { cx: 11, cy: 6, r: 3, class: name });
  return s("path", { d: "M11 1V11", class: name });
}

/**
 * Return a chart as SVG.
 *
 * `x` is `{label, values, format, ticks, scale}`; each panel is `{label, height, format, zero,
 * marks}` and a mark `{kind, class, data}` of kind bar or band (`x, low, high`), dot, line or stem
 * (`x, y`). A band does not extend the axis; `extent` of a panel has values that do. `scale` maps a
 * value of the axis to its position before it is fitted to the width.
 */
export function drawn(chart, width) {
  const { x, panels } = chart;
  const scale = x.scale || ((value) => value);
  const extent = range(x.values);
  const ends = extent.map(scale);
  const right = width - RIGHT;
  const across = (value) =>
    LEFT + ((scale(value) - ends[0]) / (ends[1] - ends[0] || 1)) * (right - LEFT);
  const total = panels.reduce((sum, panel) => sum + panel.height + GAP, 0) - GAP + TOP + AXIS;
  const id = `chart-${(count += 1)}`;
  const svg = s(
    "svg",
    {
      viewBox: `0 0 ${width} ${total}`,
      width,
      height: total,
      role: "img",
      "aria-labelledby": `${id}-title ${id}-text`,
    },
    s("title", { id: `${id}-title` }, chart.title),
    s("desc", { id: `${id}-text` }, chart.description || ""),
  );
  let top = TOP;
  for (const [k, panel] of panels.entries()) {
    svg.append(...drawnPanel(panel, across, [LEFT, right], top, `${id}-${k}`));
    top += panel.height + GAP;
  }
  const bottom = top - GAP;
  const most = Math.max(2, Math.floor((right - LEFT) / 64));
  const ticks = x.ticks
    ? spaced(x.ticks, across)
    : nice(extent, most).map((value) => ({ value, label: (x.format || number)(value) }));
  for (const { value, label } of ticks) {
    const at = across(value);
    svg.append(
      s("path", { d: `M${at} ${bottom}v4`, class: "axis" }),
      s("text", { x: at, y: bottom + 16, class: "tick", "text-anchor": "middle" }, label),
    );
  }
  svg.append(
    s("text", { x: (LEFT + right) / 2, y: bottom + 32, class: "label", "text-anchor": "middle" }, x.label),
  );
  return svg;
}

/** Return the ticks that are far enough from each other. */
function spaced(ticks, across) {
  let last = -Infinity;
  return ticks.filter(({ value }) => {
    if (across(value) - last < 34) return false;
    last = across(value);
    return true;
  });
}

function drawnPanel(panel, across, [left, right], top, id) {
  const marked = panel.marks
    .filter(({ kind }) => kind !== "band")
    .flatMap(({ data }) => data.flatMap((d) => [d.y, d.low, d.high]));
  const values = [...marked, ...(panel.extent ?? [])].filter((v) => v != null && Number.isFinite(v));
  const [low, high] = padded(range(panel.zero ? [0, ...values] : values), panel.zero);
  const up = (value) => top + (1 - (value - low) / (high - low || 1)) * panel.height;
  const format = panel.format || number;
  const parts = [];
  for (const value of nice([low, high], Math.max(3, Math.round(panel.height / 38)))) {
    parts.push(
      s("path", { d: `M${left} ${up(value)}H${right}`, class: value === 0 ? "axis" : "grid" }),
      s("text", { x: left - 6, y: up(value) + 4, class: "tick", "text-anchor": "end" }, format(value)),
    );
  }
  parts.push(
    s("path", { d: `M${left} ${top}V${top + panel.height}H${right}`, class: "axis" }),
    s("clipPath", { id }, s("rect", { x: left - 4, y: top - 4, width: right - left + 8, height: panel.height + 8 })),
  );
  const middle = top + panel.height / 2;
  const turned = `rotate(-90 11 ${middle})`;
  parts.push(s("text", { x: 11, y: middle, class: "label", "text-anchor": "middle", transform: turned }, panel.label));
  const marks = s("g", { "clip-path": `url(#${id})` });
  for (const mark of panel.marks) marks.append(...drawnMark(mark, across, up));
  return [...parts, marks];
}

function drawnMark({ kind, class: name, data }, across, up) {
  if (kind === "band") return bands(data, across, up).map((d) => s("path", { d, class: name }));
  if (kind === "line") return [s("path", { d: path(data, across, up), class: name })];
  return data
    .filter((d) => Number.isFinite(d.y ?? d.low))
    .map((d) => {
      const at = across(d.x);
      const title = d.title ? s("title", {}, d.title) : null;
      const names = d.class ? `${name} ${d.class}` : name;
      if (kind === "dot") return s("circle", { cx: at, cy: up(d.y), r: 2.5, class: names }, title);
      const [from, to] = kind === "stem" ? [up(0), up(d.y)] : lengthened(up(d.low), up(d.high));
      return s("path", { d: `M${at} ${from}V${to}`, class: names }, title);
    });
}

/** Return the ends of a bar that is long enough to be seen. */
function lengthened(from, to) {
  const more = Math.max(0, SHORTEST_BAR - Math.abs(from - to)) / 2;
  return [from + more, to - more];
}

/** Return the outlines of a band, one of each run of points that have both ends. */
function bands(data, across, up) {
  const runs = [[]];
  for (const d of data) {
    if (Number.isFinite(d.low) && Number.isFinite(d.high)) runs.at(-1).push(d);
    else if (runs.at(-1).length) runs.push([]);
  }
  const at = (x, y) => `${across(x).toFixed(1)} ${up(y).toFixed(1)}`;
  return runs
    .filter((run) => run.length > 1)
    .map((run) => {
      const upper = run.map((d) => at(d.x, d.high));
      const lower = run.map((d) => at(d.x, d.low)).reverse();
      return `M${[...upper, ...lower].join("L")}Z`;
    });
}

function path(data, across, up) {
  let text = "";
  let isDrawing = false;
  for (const { x, y } of data) {
    if (y == null || !Number.isFinite(y)) {
      isDrawing = false;
      continue;
    }
    text += `${isDrawing ? "L" : "M"}${across(x).toFixed(1)} ${up(y).toFixed(1)}`;
    isDrawing = true;
  }
  return text;
}

function range(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}

function padded([low, high], zero) {
  const pad = 0.06 * (high - low) || 0.05 * Math.abs(high) || 1e-3;
  return [zero && low === 0 ? 0 : low - pad, zero && high === 0 ? 0 : high + pad];
}

/** Return round numbers in a range, about as many as given. */
export function nice([low, high], most) {
  const rough = (high - low) / most;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) {
    ticks.push(Number((k * step).toPrecision(12)));
  }
  return ticks;
}
