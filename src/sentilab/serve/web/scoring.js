// Scores a file's rows in order, in batches, with bad rows set aside.

import { recordsOf, rowOf } from "./csv.js";
import { isAbort } from "./trouble.js";

const BATCH = 64; // rows asked at once
const MOST_CHARACTERS = 200_000; // and their characters, so that no request grows too large
const PIECE = 4_000; // rows put together into one piece of the output
const TRIES = 8;

/** The names of the columns that are added: as “sentilab predict” has them, but never one that is there. */
export function addedColumns(columns, labels) {
  let names = ["label", "probability", ...labels.map((label) => `probability_${label}`)];
  while (names.some((name) => columns.includes(name))) names = names.map((name) => `predicted_${name}`);
  return names;
}

/** Six digits, as Python's "%.6g" writes them. */
export function rounded(probability) {
  if (probability === 0 || probability >= 1e-4) return String(Number(probability.toPrecision(6)));
  const [digits, power] = probability.toExponential(5).split("e-");
  return `${Number(digits)}e-${power.padStart(2, "0")}`;
}

/**
 * {scored, rejected, counts, first, blob}: how many rows got an answer, the rows set aside as
 * {line, reason, raw}, answers by label, the first answers, and the file with them.
 *
 * `onProgress({read, scored, rejected})` hears of bytes read and rows done. If the work is stopped
 * or fails, what was done until then is given, with the reason as `stopped`.
 */
export async function scoreTable({ file, table, column, backend, model, signal, onProgress }) {
  const added = addedColumns(table.columns, model.labels);
  const head = (table.hasMark ? "\uFEFF" : "") + rowOf([...table.columns, ...added], table.separator) + table.lineEnd;
  const pieces = [new Blob([head])];
  const result = { scored: 0, rejected: [], counts: new Map(model.labels.map((label) => [label, 0])), first: [], stopped: null };
  let rows = [];
  let batch = [];
  let characters = 0;

  const put = (record, answer) => {
    const numbers = [answer.probability, ...model.labels.map((label) => answer.probabilities[label])];
    rows.push(rowOf([...record.fields, answer.label, ...numbers.map(rounded)], table.separator) + table.lineEnd);
    result.scored += 1;
    result.counts.set(answer.label, result.counts.get(answer.label) + 1);
    if (result.first.length < 8) result.first.push({ line: record.line, text: record.fields[column], ...answer });
    if (rows.length === PIECE) flush();
  };
  const flush = () => {
    pieces.push(new Blob(rows));
    rows = [];
  };
  const reject = ({ line, reason, raw, fields }) =>
    result.rejected.push({ line, reason, raw: raw ?? rowOf(fields, table.separator) });

  const work = async () => {
    if (!batch.length) return;
    const asked = batch;
    batch = [];
    characters = 0;
    for (const { record, answer, reason } of await answered(backend, model.name, asked, column, signal)) {
      if (reason) reject({ ...record, reason });
      else put(record, answer);
    }
    onProgress({ read: asked.at(-1).read, scored: result.scored, rejected: result.rejected.length });
  };

  try {
    for await (const record of recordsOf(file, table, signal)) {
      const text = record.fields?.[column];
      if (record.reason) reject(record);
      else if (text.trim() === "") reject({ ...record, reason: "its text is empty" });
      else {
        if (batch.length === BATCH || characters + text.length > MOST_CHARACTERS) await work();
        batch.push(record);
        characters += text.length;
      }
    }
    await work();
  } catch (error) {
    result.stopped = isAbort(error) ? "You stopped it." : error.message;
    result.error = isAbort(error) ? null : error;
  }
  flush();
  result.rejected.sort((one, other) => one.line - other.line);
  return { ...result, blob: new Blob(pieces, { type: "text/csv;charset=utf-8" }) };
}

/** {record, answer} or {record, reason} for each record, in order. */
async function answered(backend, name, records, column, signal) {
  try {
    const texts = records.map(({ fields }) => fields[column]);
    const answers = await patiently(() => backend.predict(name, texts, { signal }), signal);
    return records.map((record, at) => ({ record, answer: answers[at] }));
  } catch (error) {
    if (isAbort(error) || error.isGeneral || error.code === "busy") throw error;
    if (records.length === 1) return [{ record: records[0], reason: error.message }];
    // One of them is at fault, or they are too many: both halves are tried.
    const middle = Math.ceil(records.length / 2);
    const halves = [records.slice(0, middle), records.slice(middle)];
    const found = [];
    for (const half of halves) found.push(...(await answered(backend, name, half, column, signal)));
    return found;
  }
}

/** Asks again, after a while, where the server has too much to do. */
async function patiently(ask, signal) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await ask();
    } catch (error) {
      if (error.code !== "busy" || tried === TRIES) throw error;
      await pause(Math.max(1000 * error.wait, 150 * 2 ** tried), signal);
    }
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
