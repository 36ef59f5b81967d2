/** The implied volatility surface of a fit: in three dimensions, and as a heat map. */

import { nice } from "./charts.js";
import { send } from "./api.js";
import { disclosure, h, s, table } from "./dom.js";
import { savePicture } from "./download.js";
import { marketOf } from "./fit.js";
import { maturity, number, percent } from "./format.js";

const N_RATIOS = 25;
const N_MATURITIES = 16;
const SHADES = 5;
const WIDTH = 620;
const HEIGHT = 470;
const SCALE = 350;
const TALL = 0.62;
const DEGREE = Math.PI / 180;

/** Return a box with the surface, which is computed when it is opened. */
export function surfaceBox(fit) {
  const box = h("div", {}, h("p", { class: "soft" }, "Computing…"));
  return disclosure("Surface in three dimensions, and heat map", () => {
    surfaceOf(fit).then(
      (surface) => box.replaceChildren(figureOf(surface), heatMap(surface)),
      (error) => box.replaceChildren(h("p", { class: "problem" }, error.message)),
    );
    return box;
  });
}

/** Return the model's volatilities on a grid of maturities and ratios of strike to forward. */
async function surfaceOf(fit) {
  const quotes = fit.smiles.flatMap(({ expiry, quotes: mine }) =>
    mine
      .filter((q) => q.implied_vol != null)
      .map((q) => ({ x: q.strike / expiry.forward, t: expiry.maturity, vol: q.implied_vol })),
  );
  const years = fit.smiles.map(({ expiry }) => expiry.maturity);
  const xs = quotes.map(({ x }) => x);
  const ratios = spaced(Math.min(...xs), Math.max(...xs), N_RATIOS, (x) => x);
  const isOne = fit.result.parameters != null;
  const n = years.length > 1 && isOne ? N_MATURITIES : 0;
  const maturities = n ? spaced(years[0], years.at(-1), n, Math.sqrt, (x) => x ** 2) : years;
  const price = (parameters, at) =>
    send("POST", "/price", {
      model_type: fit.result.model_type,
      parameters,
      ...marketOf({ forward: 1, rate: 0 }),
      strikes: ratios,
      maturities: at,
    }).then((reply) => reply.implied_vols);
  const rows = isOne
    ? await price(fit.result.parameters, maturities)
    : (await Promise.all(maturities.map((t) => price(fit.parametersAt(t), [t])))).flat();
  return { name: fit.result.model_type, ratios, maturities, rows, quotes };
}

function spaced(low, high, n, scale, inverse = scale) {
  const [a, b] = [scale(low), scale(high)];
  return Array.from({ length: n }, (_, k) => inverse(a + ((b - a) * k) / (n - 1)));
}

function figureOf(surface) {
  const title = `${surface.name}: implied volatility surface`;
  const holder = h("div", { class: "chart" });
  const turn = h("input", { type: "range", min: -90, max: 90, value: 40, step: 2 });
  const tilt = h("input", { type: "range", min: 5, max: 85, value: 26, step: 1 });
  const draw = () => holder.replaceChildren(drawn(surface, title, turn.valueAsNumber, tilt.valueAsNumber));
  for (const input of [turn, tilt]) input.addEventListener("input", draw);
  holder.addEventListener("pointermove", (event) => {
    if (event.buttons !== 1) return;
    turn.value = turn.valueAsNumber + event.movementX / 2;
    tilt.value = tilt.valueAsNumber + event.movementY / 2;
    draw();
  });
  draw();
  const button = (kind) =>
    h("button", { type: "button", class: "small", click: () => savePicture(holder.firstChild, title, kind),
      "aria-label": `Save ${title} as ${kind}` }, kind);
  return h(
    "figure",
    {},
    h("figcaption", {}, title, h("small", {}, "points: market; drag to turn")),
    holder,
    h("div", { class: "fields" }, h("label", {}, "Turn ", turn), h("label", {}, "Tilt ", tilt)),
    h("div", { class: "twin" }, h("span", {}), h("span", { class: "save" }, button("SVG"), button("PNG"))),
  );
}

/** Return the surface as SVG, in parallel projection; far cells are drawn first. */
function drawn({ ratios, maturities, rows, quotes }, title, turn, tilt) {
  const vols = [...rows.flat(), ...quotes.map(({ vol }) => vol)].filter((v) => v != null);
  const ticks = { x: nice([ratios[0], ratios.at(-1)], 5), z: nice([Math.min(...vols), Math.max(...vols)], 4) };
  const low = Math.min(ticks.z[0], ...vols);
  const high = Math.max(...vols);
  const [first, last] = [Math.sqrt(maturities[0]), Math.sqrt(maturities.at(-1))];
  const unit = {
    x: (value) => (value - ratios[0]) / (ratios.at(-1) - ratios[0] || 1) - 0.5,
    t: (value) => (Math.sqrt(value) - first) / (last - first || 1) - 0.5,
    z: (value) => TALL * ((value - low) / (high - low || 1) - 0.5),
  };
  const [cos, sin] = [Math.cos(turn * DEGREE), Math.sin(turn * DEGREE)];
  const [up, over] = [Math.cos(tilt * DEGREE), Math.sin(tilt * DEGREE)];
  const depth = (a, b) => b * cos - a * sin;
  const at = (a, b, c) => [
    WIDTH / 2 + SCALE * (a * cos + b * sin),
    HEIGHT / 2 - SCALE * (c * up + depth(a, b) * over),
  ];
  const text = (points) => points.map((p) => p.map((v) => v.toFixed(1)).join(" ")).join("L");
  const shade = shadeOf(low, high);

  const parts = [];
  for (let i = 0; i + 1 < maturities.length; i += 1) {
    for (let j = 0; j + 1 < ratios.length; j += 1) {
      const corners = [[i, j], [i, j + 1], [i + 1, j + 1], [i + 1, j]];
      const values = corners.map(([m, k]) => rows[m][k]);
      if (values.some((v) => v == null)) continue;
      const points = corners.map(([m, k], n) => [unit.x(ratios[k]), unit.t(maturities[m]), unit.z(values[n])]);
      const mean = values.reduce((sum, v) => sum + v, 0) / 4;
      const far = (depth(...points[0]) + depth(...points[2])) / 2;
      parts.push([far, s("path", { d: `M${text(points.map((p) => at(...p)))}Z`, class: `cell cell-${shade(mean)}` })]);
    }
  }
  for (const { x, t, vol } of quotes) {
    const point = [unit.x(x), unit.t(t), unit.z(vol)];
    const [cx, cy] = at(...point);
    // Slightly nearer than its cell, which would hide it.
    parts.push([depth(...point) - 0.05, s("circle", { cx, cy, r: 1.8, class: "dot" })]);
  }
  parts.sort((a, b) => b[0] - a[0]);
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "surface", role: "img", "aria-label": title });
  svg.append(...axes(at, unit, ticks, maturities, turn), ...parts.map(([, element]) => element));
  return svg;
}

/** Return a function from volatilities to the number of a shade. */
function shadeOf(low, high) {
  return (vol) => Math.min(SHADES - 1, Math.floor((SHADES * (vol - low)) / (high - low || 1)));
}

/** Return the floor, lines on the far walls, and ticks on the edges that face the viewer. */
function axes(at, unit, ticks, maturities, turn) {
  const floor = -TALL / 2;
  const near = turn < 0 ? -0.5 : 0.5;
  const outward = near < 0 ? "end" : "start";
  const inward = near < 0 ? "start" : "end";
  const side = Math.sign(near);
  const line = (name, ...points) => s("path", { d: `M${points.map((p) => at(...p).join(" ")).join("L")}`, class: name });
  const label = (point, value, anchor, dx, dy, name = "tick") => {
    const [x, y] = at(...point);
    return s("text", { x: x + dx, y: y + dy, "text-anchor": anchor, class: name }, value);
  };
  const wall = (z) => [[near, 0.5, z], [-near, 0.5, z], [-near, -0.5, z]];
  const every = Math.max(1, Math.ceil(maturities.length / 5));
  const years = maturities.filter((_, k) => k % every === 0);
  return [
    ...ticks.z.map((z) => line("grid", ...wall(unit.z(z)))),
    line("axis", [-0.5, -0.5, floor], [0.5, -0.5, floor], [0.5, 0.5, floor], [-0.5, 0.5, floor], [-0.5, -0.5, floor]),
    ...[[near, 0.5], [-near, 0.5], [-near, -0.5]].map(([a, b]) => line("axis", [a, b, floor], [a, b, -floor])),
    ...ticks.x.map((x) => label([unit.x(x), -0.5, floor], percent(x, 0), inward, -6 * side, 16)),
    label([0, -0.5, floor], "strike / forward", inward, -44 * side, 34, "label"),
    ...years.map((t) => label([near, unit.t(t), floor], maturity(t), outward, 8 * side, 12)),
    ...ticks.z.map((z) => label([near, 0.5, unit.z(z)], `${number(100 * z, 3)}%`, outward, 8 * side, 4)),
    label([near, 0.5, -floor], "implied volatility", "middle", 0, -10, "label"),
  ];
}

function heatMap({ name, ratios, maturities, rows }) {
  const columns = ratios.map((ratio, j) => [ratio, j]).filter((_, j) => j % 3 === 0);
  const known = rows.flat().filter((v) => v != null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const shade = shadeOf(low, high);
  return table(
    `${name}: implied volatility by maturity and strike over forward`,
    [{ label: "maturity" }, ...columns.map(([ratio]) => ({ label: percent(ratio, 0), number: true }))],
    rows.map((row, i) => [
      maturity(maturities[i]),
      ...columns.map(([, j]) => ({ text: percent(row[j], 1), class: row[j] == null ? null : `shade-${shade(row[j])}` })),
    ]),
  );
}
