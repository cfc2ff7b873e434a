// Words, vocabulary and encoding, exactly as in Python's sentilab.text.words.

import { GROWN, LETTERS, LOOKED_PAST, MOVED } from "./lower.js";

export const PAD = 0;
export const START = 1;
export const OUT_OF_VOCABULARY = 2;
const OFFSET = 3;

const CAPITAL_SIGMA = 0x3a3;
const BETWEEN = new Set([...'!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n '].map((one) => one.charCodeAt(0)));

const LOWER = new Map(GROWN);
for (const [first, last, step, distance] of MOVED) {
  for (let number = first; number <= last; number += step) {
    LOWER.set(number, String.fromCodePoint(number + distance));
  }
}

function within(ranges, number) {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (number < ranges[middle][0]) high = middle - 1;
    else if (number > ranges[middle][1]) low = middle + 1;
    else return true;
  }
  return false;
}

function codePointBefore(text, at) {
  const low = text.charCodeAt(at - 1);
  if (low >= 0xdc00 && low < 0xe000 && at > 1) {
    const high = text.charCodeAt(at - 2);
    if (high >= 0xd800 && high < 0xdc00) return text.codePointAt(at - 2);
  }
  return low;
}

const sizeOf = (number) => (number > 0xffff ? 2 : 1);

// A capital sigma ends a word where a letter stands before it and none after it, apart from what
// is looked past, such as full stops and accents.
function loweredSigma(text, at) {
  let before = at;
  let number = -1;
  while (before > 0) {
    number = codePointBefore(text, before);
    if (!within(LOOKED_PAST, number)) break;
    before -= sizeOf(number);
  }
  if (before === 0 || !within(LETTERS, number)) return "σ";
  let after = at + 1;
  while (after < text.length) {
    number = text.codePointAt(after);
    if (!within(LOOKED_PAST, number)) break;
    after += sizeOf(number);
  }
  return after < text.length && within(LETTERS, number) ? "σ" : "ς";
}

/** [{word, start, end}]: each word, lowered, and where it stands in the text (UTF-16 units). */
export function wordsOf(text) {
  const found = [];
  let word = "";
  let start = -1;
  let at = 0;
  while (at < text.length) {
    const number = text.codePointAt(at);
    if (BETWEEN.has(number)) {
      if (start >= 0) found.push({ word, start, end: at });
      start = -1;
      word = "";
      at += 1;
      continue;
    }
    if (start < 0) start = at;
    const size = sizeOf(number);
    if (number === CAPITAL_SIGMA) word += loweredSigma(text, at);
    else word += LOWER.get(number) ?? text.slice(at, at + size);
    at += size;
  }
  if (start >= 0) found.push({ word, start, end: at });
  return found;
}

/** Encodes with the content of a bundle's vocabulary.json. */
export class Vocabulary {
  constructor({ encoding, words }) {
    this.length = encoding.length;
    this.index = new Map(words.map((word, at) => [word, at + OFFSET + 1]));
  }

  /**
   * {ids, words, read, spans}: Int32Array of `length` integers; how many words the text has and how
   * many of them the model reads, the last ones; and where those stand.
   */
  encode(text) {
    const words = wordsOf(text);
    const read = Math.min(words.length, this.length);
    const spans = words.slice(words.length - read);
    const ids = new Int32Array(this.length).fill(PAD);
    const first = this.length - read;
    spans.forEach(({ word }, at) => {
      ids[first + at] = this.index.get(word) ?? OUT_OF_VOCABULARY;
    });
    if (first > 0) ids[first - 1] = START;
    return { ids, words: words.length, read, spans };
  }
}

/** The whole text in order: {text, weight}, where weight is null for what is no word that was read. */
export function piecesOf(text, spans, weights) {
  const found = [];
  let at = 0;
  spans.forEach(({ start, end }, number) => {
    if (start > at) found.push({ text: text.slice(at, start), weight: null });
    found.push({ text: text.slice(start, end), weight: weights[number] });
    at = end;
  });
  if (at < text.length) found.push({ text: text.slice(at), weight: null });
  return found;
}
