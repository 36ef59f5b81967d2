/** Files that the user saves. */

import { h } from "./dom.js";

const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "opacity"];
const TEXT_STYLES = ["font-family", "font-size", "font-weight"];
const PNG_SCALE = 2;

/** Save text as a file. */
export function save(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Save a chart as SVG or PNG. */
export async function savePicture(svg, title, kind) {
  const name = title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  const text = standalone(svg);
  if (kind === "SVG") return save(`${name}.svg`, text, "image/svg+xml");
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  URL.revokeObjectURL(url);
  const canvas = h("canvas", {
    width: PNG_SCALE * svg.viewBox.baseVal.width,
    height: PNG_SCALE * svg.viewBox.baseVal.height,
  });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toBlob((blob) => save(`${name}.png`, blob), "image/png");
}

/** Return a chart as SVG that does not need the page's style sheet. */
function standalone(svg) {
  const copy = svg.cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const originals = svg.querySelectorAll("path, text, circle");
  copy.querySelectorAll("path, text, circle").forEach((element, k) => {
    const style = getComputedStyle(originals[k]);
    const names = element.tagName === "text" ? [...STYLES, ...TEXT_STYLES] : STYLES;
    for (const name of names) element.setAttribute(name, style.getPropertyValue(name));
    element.removeAttribute("class");
  });
  const background = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  background.setAttribute("width", "100%");
  background.setAttribute("height", "100%");
  background.setAttribute("fill", getComputedStyle(svg.closest("figure")).backgroundColor);
  copy.insertBefore(background, copy.firstChild);
  return new XMLSerializer().serializeToString(copy);
}

/** Return rows as CSV. */
export function csv(columns, rows) {
  const quoted = (value) => {
    const text = value == null ? "" : String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
}
