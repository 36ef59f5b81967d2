/** Problems in plain words, at the field concerned. */

import { byId, h } from "./dom.js";

/** Fields of requests that are entered under another name. */
const ENTERED_AS = { data: "text", example: "text" };
const LONG_MESSAGE = 120;
const TITLES = { "invalid-input": "Check the entries" };

/** Remove all problems of a form. */
export function clearProblems(form) {
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
  for (const message of form.querySelectorAll(".field-error")) message.remove();
  form.querySelector(".problem").replaceChildren();
}

/**
 * Show an error in a form: at each field that it names, and below the form.
 *
 * A JSON pointer such as `/spot` names the field `spot`.
 */
export function showProblem(form, error) {
  clearProblems(form);
  const located = (error.errors || []).map(({ pointer, parameter, detail }) => {
    const name = parameter || pointer.split("/")[1] || "";
    return { field: form.elements.namedItem(ENTERED_AS[name] ?? name), detail };
  });
  const atFields = located.filter(({ field }) => field instanceof HTMLElement);
  for (const { field, detail } of atFields) {
    showAtField(field, detail.length > LONG_MESSAGE ? "This entry solves the problem below." : detail);
  }
  const id = error.requestId ? h("small", {}, `Request ${error.requestId}`) : null;
  form
    .querySelector(".problem")
    .replaceChildren(h("b", {}, TITLES[error.code] ?? error.title ?? "Error"), h("span", {}, error.message), " ", id || "");
  const box = atFields[0]?.field.closest("details");
  if (box) box.open = true;
  atFields[0]?.field.focus();
}

function showAtField(field, detail) {
  const id = `error-${field.name}`;
  if (byId(id)) return;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", id);
  field.after(h("span", { class: "error field-error", id }, detail));
}

/** An error of what the user entered, found before anything is sent. */
export class EntryError extends Error {
  constructor(field, message) {
    super(message);
    this.code = "invalid-input";
    this.errors = [{ pointer: `/${field}`, detail: message }];
  }
}

/** Run work of a form: its button is disabled meanwhile, and errors are shown. */
export async function working(form, button, status, text, work) {
  clearProblems(form);
  button.disabled = true;
  status.textContent = text;
  try {
    const result = await work();
    status.textContent = result || "";
  } catch (error) {
    status.textContent = "";
    showProblem(form, error);
  } finally {
    button.disabled = false;
  }
}
