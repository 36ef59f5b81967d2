/** Elements of the page, built without HTML in strings. */

/** Return the element with an id. */
export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

/** Return an element with attributes and children; functions are event listeners. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return an SVG element with attributes and children. */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/**
 * Return a table in a scrolling box.
 *
 * A column is `{label, number, text}`: numbers are aligned right, long text may wrap. A cell is
 * text, or `{text, class}`.
 */
export function table(caption, columns, rows) {
  const cell = (value, column, k) => {
    const { text, ...attributes } =
      value !== null && typeof value === "object" && !(value instanceof Node)
        ? value
        : { text: value };
    const kind = column.number ? "number" : column.text ? "text" : null;
    const names = [kind, attributes.class].filter(Boolean).join(" ");
    const attrs = { ...attributes, class: names || null };
    return k === 0 ? h("th", { scope: "row", ...attrs }, text) : h("td", attrs, text);
  };
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: "hidden" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((column) =>
            h("th", { scope: "col", class: column.number ? "number" : null }, column.label),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) => h("tr", {}, row.map((value, k) => cell(value, columns[k], k)))),
      ),
    ),
  );
}

/** Return a box that is opened by its summary; its content is built when it is first opened. */
export function disclosure(summary, build, { open = false } = {}) {
  const box = h("details", {}, h("summary", {}, summary));
  const fill = () => {
    if (box.open && !box.dataset.filled) {
      box.dataset.filled = "yes";
      box.append(build());
    }
  };
  box.addEventListener("toggle", fill);
  box.open = open;
  fill();
  return box;
}

/** Return a list of notes, or null without any. */
export function notes(texts, title = "Notes") {
  if (!texts.length) return null;
  return h(
    "div",
    { class: "notes" },
    h("h3", {}, title),
    h("ul", {}, texts.map((text) => h("li", {}, text))),
  );
}
