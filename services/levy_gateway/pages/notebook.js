/** A Jupyter notebook that reproduces a fit in Python. */

import { csv } from "./download.js";

/** Return a notebook, in version 4.5 of its format, that fits the cleaned quotes again. */
export function notebookOf(quotes, options, fit) {
  const { model_type: model } = fit.result;
  const title = [model, quotes.underlying, quotes.quote_date?.slice(0, 10)].filter(Boolean).join(", ");
  const cells = [
    markdown(
      `# ${title}\n\nFits the cleaned quotes of the web page again, on this machine. Requires the package ` +
        "`levy-calibration-engine[surfaces]`, and `[cli]` for the last cell.",
    ),
    code(`QUOTES = """\\\n${quotesCsv(quotes)}"""`),
    code(
      [
        "from io import StringIO",
        "",
        "import pandas as pd",
        "",
        "from levy_numerics import calibrate",
        "",
        "quotes = pd.read_csv(StringIO(QUOTES))",
        ...(fit.result.parameters ? wholeSurface(model, options) : eachExpiry(model, options)),
      ].join("\n"),
    ),
    ...(fit.result.parameters ? comparison(fit.result.parameters) : []),
  ];
  return JSON.stringify(
    {
      cells,
      metadata: { kernelspec: { display_name: "Python 3", language: "python", name: "python3" } },
      nbformat: 4,
      nbformat_minor: 5,
    },
    null,
    1,
  );
}

/** Return the quotes as the columns of a fit in Python; sides only where all quotes have them. */
function quotesCsv(quotes) {
  const markets = new Map(quotes.forwards.map((forward) => [forward.maturity, forward]));
  const sides = quotes.quotes.every((q) => q.bid != null && q.ask != null) ? ["bid", "ask"] : ["price"];
  const head = ["maturity_years", "forward", "discount", "strike", "option_type", ...sides.map((side) => side.replace("price", "mid"))];
  const rows = quotes.quotes.map((q) => {
    const { forward, discount } = markets.get(q.maturity);
    return [q.maturity, forward, discount, q.strike, q.option_type, ...sides.map((side) => q[side])];
  });
  return csv(head, rows);
}

const argument = ({ weights }) => (weights ? `, weights="${weights}"` : "");

const wholeSurface = (model, options) => [
  `result = calibrate("${model}", quotes${argument(options)})`,
  "print(result)",
];

const eachExpiry = (model, options) => [
  "results = {",
  `    maturity: calibrate("${model}", expiry${argument(options)})`,
  '    for maturity, expiry in quotes.groupby("maturity_years")',
  "}",
  "pd.DataFrame({maturity: dict(result.parameters) for maturity, result in results.items()}).T",
];

/** Return cells that show the parameters beside those of the page, and a chart. */
const comparison = (parameters) => [
  markdown("The parameters that the page showed, and those of this machine:"),
  code(
    `of_page = ${JSON.stringify(parameters, null, 4)}\n` +
      'pd.DataFrame({"page": of_page, "here": dict(result.parameters)})',
  ),
  code("result.plot()"),
];

let count = 0;
const cell = (kind, text, more) => ({ cell_type: kind, id: `cell-${(count += 1)}`, metadata: {}, source: lines(text), ...more });
const markdown = (text) => cell("markdown", text);
const code = (text) => cell("code", text, { execution_count: null, outputs: [] });

/** Return text as lines that keep their ends, as notebooks store it. */
const lines = (text) => text.split(/(?<=\n)/);
