// Elements in few words. Text goes in as text nodes, never as markup.

/** An element; of `properties`, "class", "aria-*" and "data-*" become attributes, "on*" listeners. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && !key.includes("-")) element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((one) => one !== null && one !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** A function that runs `action` once, `wait` milliseconds after it was last called. */
export function debounced(action, wait) {
  let timer = 0;
  const later = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(action, wait, ...given);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** Percent with one decimal; certainty that is only rounding is not shown as such. */
export function percent(probability) {
  const rounded = (100 * probability).toFixed(1);
  if (rounded === "100.0" && probability < 1) return "> 99.9";
  if (rounded === "0.0" && probability > 0) return "< 0.1";
  return rounded;
}

export function signed(weight, digits = 2) {
  const shown = Math.abs(weight).toFixed(digits);
  if (Number(shown) === 0) return shown;
  return `${weight < 0 ? "−" : "+"}${shown}`;
}

export const counted = (number, word) =>
  `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

export function megabytes(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Says something to screen readers, once it has settled. */
export const announce = debounced((text) => {
  byId("said").textContent = text;
}, 700);
