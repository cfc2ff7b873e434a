// A text's words with what each does to the answer: marked in the text, and as a table.

import { counted, el, signed } from "./dom.js";
import { wordsOf } from "./tokeniser.js";

// Weights are drawn against the largest, but never as if this little were much.
const LEAST_SCALE = 0.5;

// Below this share of the scale a word is left unmarked.
const FAINT = 0.07;

const MOST_SHOWN_UNREAD = 400; // characters
const NAMED = 3;

/** The names of what a word speaks for: with a weight below zero, and above. */
export function sidesOf(model, side) {
  if (model.labels.length === 2) return [model.labels[0], model.labels[1]];
  return [`not ${side}`, side];
}

const isWeight = (one) => typeof one === "number";

/** The text, its words marked; `isOld` where weights are those of the text before. */
export function marked(pieces, sides, isOld) {
  const largest = Math.max(LEAST_SCALE, ...pieces.map(({ weight }) => (isWeight(weight) ? Math.abs(weight) : 0)));
  const shown = joined(pieces).map(({ text, weight }, at) => {
    if (weight === undefined) return el("span", { class: "pending" }, text);
    if (!isWeight(weight)) return unread(text, at === 0);
    const size = Math.abs(weight) / largest;
    if (size < FAINT) return el("span", { title: spoken(weight, sides) }, text);
    const mark = el("mark", { class: weight > 0 ? "above" : "below", title: spoken(weight, sides) }, text);
    mark.style.setProperty("--size", size.toFixed(2));
    return mark;
  });
  return el("p", { class: isOld ? "text old" : "text", dir: "auto" }, ...shown);
}

/** The same with neighbours that have no weight made one. */
function joined(pieces) {
  const made = [];
  for (const { text, weight } of pieces) {
    if (weight === null && made.at(-1)?.weight === null) made.at(-1).text += text;
    else made.push({ text, weight });
  }
  return made;
}

/** What stands between words; of a long beginning that was not read, its end. */
function unread(text, isFirst) {
  if (!isFirst || wordsOf(text).length === 0) return document.createTextNode(text);
  const cut = text.length - MOST_SHOWN_UNREAD;
  const shown = cut > 0 ? `… ${text.slice(cut)}` : text;
  return el("span", { class: "unread", title: "Not read by the model" }, shown);
}

const spoken = (weight, [below, above]) => {
  if (weight === 0) return "0: without this word the answer is the same";
  return `${signed(weight)} log odds, for ${weight > 0 ? above : below}`;
};

export function legend([below, above]) {
  return el(
    "p",
    { class: "legend fine" },
    el("span", {}, el("mark", { class: "below" }, "dashed"), ` speaks for ${below}`),
    el("span", {}, el("mark", { class: "above" }, "solid"), ` speaks for ${above}`),
  );
}

/** One sentence on the strongest words. */
export function strongest(pieces, sides) {
  const words = pieces.filter(({ weight }) => isWeight(weight) && Math.abs(weight) >= 0.05);
  const parts = [1, 0].map((at) => {
    const sign = at === 1 ? 1 : -1;
    const own = words.filter(({ weight }) => sign * weight > 0).sort((one, other) => sign * (other.weight - one.weight));
    const names = [...new Set(own.map(({ text }) => text))].slice(0, NAMED);
    return names.length ? el("span", { class: "speaks" }, `For ${sides[at]}: `, ...separated(names, sign > 0 ? "above" : "below")) : null;
  });
  const found = parts.filter(Boolean);
  return el("p", { class: "strongest" }, ...(found.length ? found : ["No single word matters much here."]));
}

const separated = (names, side) =>
  names.flatMap((name, at) => [at ? ", " : "", el("q", { class: side, dir: "auto" }, name)]);

/** Every word that was read, the strongest first. */
export function table(pieces, sides, side) {
  const words = pieces.filter(({ weight }) => isWeight(weight));
  const ordered = [...words].sort((one, other) => Math.abs(other.weight) - Math.abs(one.weight));
  const largest = Math.max(LEAST_SCALE, ...words.map(({ weight }) => Math.abs(weight)));
  const row = ({ text, weight }) => {
    const bar = el("span", { class: `weight-bar ${weight < 0 ? "below" : "above"}` });
    bar.style.setProperty("--size", (Math.abs(weight) / largest).toFixed(3));
    const speaks = Number(weight.toFixed(2)) === 0 ? "neither" : weight < 0 ? sides[0] : sides[1];
    return el(
      "tr",
      {},
      el("th", { scope: "row", dir: "auto" }, text),
      el("td", { class: "n" }, signed(weight)),
      el("td", {}, speaks),
      el("td", { class: "drawn", "aria-hidden": "true" }, el("span", { class: "weight-line" }, bar)),
    );
  };
  return el(
    "div",
    { class: "scroll words-table", tabIndex: 0, role: "region", "aria-label": "Every word’s weight" },
    el(
      "table",
      {},
      el("caption", {}, `${counted(words.length, "word")}, the strongest first. A weight is by how much the log odds of ${side} fall without the word.`),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "word"), el("th", { scope: "col", class: "n" }, "weight"), el("th", { scope: "col" }, "speaks for"), el("th", { class: "drawn", "aria-hidden": "true" }))),
      el("tbody", {}, ...ordered.map(row)),
    ),
  );
}

/**
 * The new text's pieces with the weights that the same words had before, so that marks do not
 * flicker while one types; what is new has none yet.
 */
export function carried(text, before, length) {
  const words = wordsOf(text);
  const spans = words.slice(Math.max(0, words.length - length));
  const old = before.filter(({ weight }) => weight !== null);
  const same = (one, other) => text.slice(one.start, one.end) === other.text;
  let front = 0;
  while (front < spans.length && front < old.length && same(spans[front], old[front])) front += 1;
  let back = 0;
  const most = Math.min(spans.length, old.length) - front;
  while (back < most && same(spans.at(-1 - back), old.at(-1 - back))) back += 1;
  const pieces = [];
  let at = 0;
  spans.forEach(({ start, end }, number) => {
    if (start > at) pieces.push({ text: text.slice(at, start), weight: null });
    let weight;
    if (number < front) ({ weight } = old[number]);
    else if (number >= spans.length - back) ({ weight } = old[old.length - (spans.length - number)]);
    pieces.push({ text: text.slice(start, end), weight });
    at = end;
  });
  if (at < text.length) pieces.push({ text: text.slice(at), weight: null });
  return pieces;
}
