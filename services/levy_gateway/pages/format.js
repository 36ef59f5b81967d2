/** Numbers as people read them. */

const MINUS = "−";
const TENORS = [
  [1 / 52, "1W"],
  [1 / 12, "1M"],
  [0.25, "3M"],
  [0.5, "6M"],
  [1, "1Y"],
  [2, "2Y"],
  [3, "3Y"],
  [5, "5Y"],
  [10, "10Y"],
  [20, "20Y"],
];

const signed = (text) => text.replace("-", MINUS);

/** Return a number with some significant digits, and without trailing zeros. */
export function number(value, digits = 5) {
  if (value == null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) {
    return signed(value.toExponential(Math.max(0, digits - 2)));
  }
  return signed(String(Number(value.toPrecision(digits))));
}

/** Return a number with a fixed number of decimals. */
export const fixed = (value, decimals) =>
  value == null || !Number.isFinite(value) ? "–" : signed(value.toFixed(decimals));

/** Return a fraction as a percentage. */
export const percent = (value, decimals = 2) =>
  value == null || !Number.isFinite(value) ? "–" : `${fixed(100 * value, decimals)}%`;

/** Return a difference of volatilities in vol points (0.01). */
export const points = (value, decimals = 2) =>
  value == null || !Number.isFinite(value) ? "–" : fixed(100 * value, decimals);

/** Return an interval, or a dash. */
export const interval = (pair, digits = 5) =>
  pair ? `${number(pair[0], digits)} to ${number(pair[1], digits)}` : "–";

/** Return a maturity as days, months or years. */
export function maturity(years) {
  if (years < 2 / 12) return `${Math.round(years * 365)} days`;
  if (years < 2) return `${number(years * 12, 3)} months`;
  return `${number(years, 3)} years`;
}

/** Return usual tenors between two maturities, as ticks of an axis. */
export function tenors(low, high) {
  const inside = TENORS.filter(([years]) => years >= low && years <= high);
  return inside.map(([value, label]) => ({ value, label }));
}

/** Return a duration in seconds or minutes. */
export function duration(seconds) {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

/** Return an identifier in words. */
export const words = (name) => name.replaceAll("_", " ");

/** Return a count with a noun. */
export const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

/** Return text as a sentence. */
export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
