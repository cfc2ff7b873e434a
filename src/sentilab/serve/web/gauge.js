// How an answer is drawn: a scale from one label to the other, or bars where there are more.

import { el, percent } from "./dom.js";

/** "below" or "above": which colour a label has, where there are two; "" otherwise. */
export function sideOf(model, label) {
  if (model.labels.length !== 2) return "";
  return label === model.labels[1] ? "above" : "below";
}

/** A scale of two labels: `set(answer)` moves its needle. */
export function scale(model, { isSmall = false } = {}) {
  const needle = el("span", { class: "needle" });
  const threshold = el("span", { class: "threshold", title: `The answer turns at ${model.threshold}` });
  threshold.style.setProperty("--at", model.threshold);
  const track = el("span", { class: "track" }, threshold, needle);
  const [below, above] = model.labels;
  const element = el(
    "span",
    { class: isSmall ? "scale small" : "scale", role: "img", "aria-label": "no answer yet" },
    isSmall ? null : el("span", { class: "end below" }, below),
    track,
    isSmall ? null : el("span", { class: "end above" }, above),
  );
  const set = (answer) => {
    element.classList.toggle("set", answer !== null);
    if (answer === null) {
      element.setAttribute("aria-label", "no answer yet");
      return;
    }
    const p = answer.probabilities[above];
    needle.style.setProperty("--at", p);
    needle.dataset.side = sideOf(model, answer.label);
    element.setAttribute("aria-label", `${above} ${percent(p)} %, ${below} ${percent(1 - p)} %; the answer turns at ${percent(model.threshold)} %`);
  };
  return { element, set };
}

const MOST_BARS = 6;

/** The likeliest of many labels, a bar each. */
export function bars(model, { isSmall = false } = {}) {
  const element = el("ol", { class: isSmall ? "bars small" : "bars" });
  const set = (answer) => {
    if (answer === null) {
      element.replaceChildren();
      return;
    }
    const ordered = Object.entries(answer.probabilities).sort(([, one], [, other]) => other - one);
    element.replaceChildren(
      ...ordered.slice(0, isSmall ? 1 : MOST_BARS).map(([label, p]) => {
        const bar = el("span", { class: "bar-fill" });
        bar.style.setProperty("--at", p);
        return el("li", {}, el("span", { class: "bar-name" }, label), el("span", { class: "bar-line" }, bar), el("span", { class: "bar-p" }, `${percent(p)} %`));
      }),
    );
  };
  return { element, set };
}

export const drawn = (model, options) => (model.labels.length === 2 ? scale(model, options) : bars(model, options));
