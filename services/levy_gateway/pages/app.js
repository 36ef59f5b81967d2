/** The page: connects its sections. */

import { askForKey, send } from "./api.js";
import { compare } from "./compare.js";
import { byId } from "./dom.js";
import { fitDates } from "./dates.js";
import { fitted, loadModels, optionsOf } from "./fit.js";
import { count } from "./format.js";
import { sample, showSampling } from "./posterior.js";
import { showProblem, working } from "./problems.js";
import { readQuotes, requestOf, showQuotes } from "./quotes.js";
import { showFit } from "./results.js";
import { downloadsOf, fragmentOf, quotesCsv, stateOf } from "./share.js";

const LONG_TEXT = 40_000;
const DEFAULT_ENGINES = ["laplace-psis", "numpyro-nuts", "numpyro-svi"];

const state = { file: null, example: null, request: null, models: null, engines: DEFAULT_ENGINES, quotes: null };
const quotesForm = byId("quotes-form");
const fitForm = byId("fit-form");
const quotes = () => state.quotes.result;

/**
 * Read the quotes of the form, or of a link; return whether they can be used.
 *
 * `choices` has the values from which `overrides` were chosen.
 */
async function read(overrides = {}, choices = {}) {
  state.quotes = null;
  await working(quotesForm, byId("read"), byId("quotes-status"), "Reading…", async () => {
    const request = state.request ?? (await requestOf(quotesForm, state.file, state.example));
    state.quotes = await readQuotes({ ...request, ...overrides }, choices);
    if (!state.models) ({ models: state.models, engines: state.engines } = await loadModels(DEFAULT_ENGINES));
    showQuotes(state.quotes, choiceOf(state.quotes.choices));
    for (const id of ["fitted", "compared", "dates", "posterior"]) byId(id).hidden = true;
    byId("fit-dates").hidden = !state.quotes.choices.date;
    byId("model").hidden = false;
    suggestModel();
    return `${quotes().n_kept} of ${count(quotes().n_read, "quote")} can be used.`;
  });
  return state.quotes !== null;
}

/** Return a function that reads again with another date or underlying. */
function choiceOf(choices) {
  return (field, value) => {
    // Another underlying may have other dates.
    const kept = field === "underlying" ? { underlying: choices.underlying } : choices;
    const values = Object.keys(kept).map((name) => [name, byId(`choice-${name}`).value]);
    return read({ ...Object.fromEntries(values), [field]: value }, kept);
  };
}

/** Choose the method that the model has: without a network, least squares. */
function suggestMethod() {
  const { trained } = state.models.get(byId("model-type").value);
  fitForm.elements.method.value = trained ? "hybrid" : "least_squares";
}

function suggestModel() {
  const isOne = quotes().expiries.length === 1;
  byId("model-type").value = isOne ? "NIG" : "NIGSato";
  suggestMethod();
  byId("model-help").textContent = isOne
    ? "NIG is suggested for one expiry."
    : "NIGSato is suggested for several expiries. “Compare models” ranks models on expiries that they have not seen.";
}

function fit() {
  return working(fitForm, byId("fit"), byId("fit-status"), "Fitting…", async () => {
    const options = optionsOf(fitForm);
    const result = await fitted(quotes(), options);
    const link = await linkOf(options);
    const entry = state.models.get(result.result.model_type);
    await showFit(quotes(), result, entry, downloadsOf(state.quotes, options, result, link));
    goTo("fitted");
    return `${result.result.model_type} fitted.`;
  });
}

/** Put the quotes and the options in the address of the page; return it, or null if too long. */
async function linkOf(options) {
  const { request } = state.quotes;
  const size = (request.text ?? request.data ?? "").length;
  const shared = size > LONG_TEXT || request.data ? { text: quotesCsv(quotes()), sides: "all", forwards: "given" } : request;
  const fragment = await fragmentOf({ version: 1, quotes: shared, options });
  history.replaceState(null, "", fragment ?? location.pathname);
  return fragment && location.href;
}

function runComparison() {
  return working(fitForm, byId("compare"), byId("fit-status"), "Comparing models, which takes some seconds…", async () => {
    await compare(quotes(), optionsOf(fitForm), [...state.models.keys()], (name) => {
      byId("model-type").value = name;
      suggestMethod();
      fit();
    });
    goTo("compared");
    return "Models compared.";
  });
}

function runDates() {
  const dates = state.quotes.choices.date;
  let n = 0;
  return working(fitForm, byId("fit-dates"), byId("fit-status"), "Fitting each date…", async () => {
    await fitDates(state.quotes.request, dates, optionsOf(fitForm), () => {
      n += 1;
      byId("fit-status").textContent = `Fitting each date: ${n} done`;
    });
    goTo("dates");
    return `${count(n, "date")} fitted.`;
  });
}

function startSampling() {
  showSampling(state.engines, (form, choices) =>
    working(form, byId("start-job"), byId("job-status"), "Running the job…", async () => {
      const status = await sample(quotes(), optionsOf(fitForm), choices);
      return `Job ${status}.`;
    }),
  );
}

function goTo(id) {
  byId(id).focus({ preventScroll: true });
  byId(id).scrollIntoView({ block: "start" });
}

/** Show the state of a link: the quotes, and the fit of the model. */
async function restore() {
  const shared = await stateOf(location.hash);
  if (!shared) return;
  state.request = shared.quotes ?? {};
  byId("text").value = shared.quotes?.text ?? "";
  if (!(await read())) return;
  for (const [name, value] of Object.entries(shared.options ?? {})) {
    const field = fitForm.elements.namedItem(name);
    if (field?.type === "checkbox") field.checked = value === true;
    else if (field) field.value = value;
  }
  await fit();
}

function useFile(file) {
  if (!file) return;
  Object.assign(state, { file, example: null, request: null });
  byId("text").value = "";
  byId("text").placeholder = `${file.name}, ${count(file.size, "byte")}`;
  read();
}

quotesForm.addEventListener("submit", (event) => {
  event.preventDefault();
  read();
});
quotesForm.addEventListener("input", () => {
  state.request = null;
});
fitForm.addEventListener("submit", (event) => {
  event.preventDefault();
  fit();
});
byId("model-type").addEventListener("change", suggestMethod);
byId("compare").addEventListener("click", runComparison);
byId("sample").addEventListener("click", startSampling);
byId("fit-dates").addEventListener("click", runDates);
byId("enter-key").addEventListener("click", () => askForKey());
byId("text").addEventListener("input", () => Object.assign(state, { file: null, example: null }));
byId("file").addEventListener("change", (event) => useFile(event.target.files[0]));
byId("use-example").addEventListener("click", () => {
  Object.assign(state, { file: null, example: "synthetic-index", request: null });
  byId("text").value = "";
  read();
});

const drop = byId("drop");
for (const type of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", type === "dragover");
    if (type === "drop") useFile(event.dataTransfer.files[0]);
  });
}

restore().catch((error) => showProblem(quotesForm, error));
