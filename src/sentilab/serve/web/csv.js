// CSV and TSV as Sentilab reads them: line by line, so that a stray quote or a byte that is not UTF-8
// costs its own line and no other. A quoted text may span lines.

import { Trouble } from "./trouble.js";

// As in Python's sentilab.data.forms; what spans more is a quote that was never closed.
const LONGEST_RECORD = 500;

const HEAD = 256 * 1024; // bytes by which a file's form is told
const [NUL, LF, CR] = [0, 10, 13];

const TEXT_NAMES = [
  "text", "texts", "review", "reviews", "sentence", "content", "body", "comment", "message",
  "document", "tweet", "phrase",
];

/** What a file's first bytes tell: {columns, separator, newline, hasMark, sample}. */
export async function openTable(file) {
  const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) {
    throw new Trouble("not_csv", "This file is encoded as UTF-16. Save it as CSV in UTF-8.");
  }
  const newline = head.includes(LF) || !head.includes(CR) ? LF : CR;
  const end = head.indexOf(newline);
  const first = without(head.subarray(0, end < 0 ? head.length : end));
  if (!first.some((one) => one > 32)) {
    throw new Trouble("not_csv", "The first line is empty; it must name the columns.");
  }
  let header;
  try {
    header = new TextDecoder("utf-8", { fatal: true }).decode(first);
  } catch {
    header = null;
  }
  if (header === null || first.includes(NUL)) {
    throw new Trouble("not_csv", "This does not look like a CSV file: its first line is no text in UTF-8.");
  }
  const separator = separatorOf(header, file.name ?? "");
  const columns = fieldsOf(header, separator)?.map((name) => name.trim());
  if (!columns) throw new Trouble("not_csv", "Line 1: the names of the columns cannot be read; check its quotes.");
  const repeated = columns.find((name, at) => columns.indexOf(name) !== at);
  if (repeated !== undefined) {
    throw new Trouble("not_csv", `Two columns are named “${repeated}”; rename one of them.`);
  }
  const table = {
    columns,
    separator,
    newline,
    lineEnd: newline === CR ? "\r" : head[end - 1] === CR ? "\r\n" : "\n",
    hasMark: head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf,
  };
  const sample = [];
  for await (const record of recordsOf(file.slice(0, HEAD), table)) {
    if (record.fields) sample.push(record.fields);
    if (sample.length === 50) break;
  }
  return { ...table, sample };
}

/** {column, isSure}: the number of the column of texts, by its name or else by its length. */
export function textColumn({ columns, sample }) {
  const names = columns.map((name) => name.toLowerCase());
  for (const name of TEXT_NAMES) {
    const column = names.indexOf(name);
    if (column >= 0) return { column, isSure: true };
  }
  if (columns.length === 1) return { column: 0, isSure: true };
  const lengths = columns.map((_, at) => sample.reduce((sum, row) => sum + row[at].length, 0));
  return { column: lengths.indexOf(Math.max(...lengths)), isSure: false };
}

/**
 * The records after the header: {line, read, fields}, or {line, read, reason, raw} for one that cannot
 * be read. `line` counts from 1; `read` is how many bytes of the file have been read.
 */
export async function* recordsOf(file, { columns, separator, newline }, signal) {
  const lines = linesOf(file, newline, signal);
  const ahead = [];
  const lineAt = async (at) => {
    while (ahead.length <= at) {
      const { done, value } = await lines.next();
      if (done) return null;
      ahead.push(value);
    }
    return ahead[at];
  };
  let line = 2;
  await lineAt(0);
  ahead.shift();
  while ((await lineAt(0)) !== null) {
    const { record, used } = await recordAt(lineAt, { columns, separator, newline });
    const { read } = ahead[used - 1];
    ahead.splice(0, used);
    if (record !== null) yield { line, read, ...record };
    line += used;
  }
}

async function recordAt(lineAt, { columns, separator, newline }) {
  const raw = shown((await lineAt(0)).bytes);
  let gathered = "";
  let isOpen = false;
  for (let used = 1; used <= LONGEST_RECORD; used += 1) {
    const line = await lineAt(used - 1);
    if (line === null) break;
    const text = decoded(line.bytes);
    if (text === null) {
      if (used === 1) return { record: { reason: "it is not UTF-8, or holds a NUL character", raw }, used };
      break;
    }
    if (used === 1 && text.trim() === "") return { record: null, used };
    const plain = text.endsWith("\r") ? text.slice(0, -1) : text;
    isOpen = leavesQuoteOpen(plain, separator, isOpen);
    if (isOpen) {
      // Inside quotes a line's end is the text's own, and stays as it is.
      gathered += text + String.fromCharCode(newline);
      continue;
    }
    gathered += plain;
    const fields = fieldsOf(gathered, separator);
    if (fields?.length === columns.length) return { record: { fields }, used };
    if (used === 1 && fields) {
      const reason = `it has ${fields.length} field${fields.length === 1 ? "" : "s"} where the header has ${columns.length}`;
      return { record: { reason, raw }, used };
    }
    break;
  }
  // What was gathered makes no record: the quote is a stray one, and only its own line is lost.
  return { record: { reason: "a quote is not closed, or closed before the field ends", raw }, used: 1 };
}

/** {bytes, read} for each line, without its end. */
async function* linesOf(file, newline, signal) {
  const reader = file.stream().getReader();
  let parts = [];
  let read = 0;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      if (done) break;
      let at = 0;
      for (;;) {
        const end = value.indexOf(newline, at);
        if (end < 0) break;
        parts.push(value.subarray(at, end));
        read += end + 1 - at;
        yield { bytes: joined(parts), read };
        parts = [];
        at = end + 1;
      }
      if (at < value.length) {
        parts.push(value.subarray(at));
        read += value.length - at;
      }
    }
    if (parts.length) yield { bytes: joined(parts), read };
  } finally {
    await reader.cancel();
  }
}

function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The line without a carriage return at its end. */
const without = (bytes) => (bytes.at(-1) === CR ? bytes.subarray(0, -1) : bytes);

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const LENIENT = new TextDecoder("utf-8");

function decoded(bytes) {
  if (bytes.includes(NUL)) return null;
  try {
    return STRICT.decode(bytes);
  } catch {
    return null;
  }
}

const shown = (bytes) => LENIENT.decode(without(bytes).subarray(0, 2_000));

function separatorOf(header, name) {
  if (/\.(tsv|tab)$/i.test(name)) return "\t";
  const counts = [",", ";", "\t"].map((one) => header.split(one).length);
  return [",", ";", "\t"][counts.indexOf(Math.max(...counts))];
}

/** Whether a quoted field is open at the line's end. A quote opens only where a field begins. */
function leavesQuoteOpen(line, separator, wasOpen) {
  if (!line.includes('"')) return wasOpen;
  let isOpen = wasOpen;
  let begins = !wasOpen;
  for (let at = 0; at < line.length; at += 1) {
    const one = line[at];
    if (isOpen) {
      if (one === '"') {
        if (line[at + 1] === '"') at += 1;
        else isOpen = false;
      }
    } else if (one === separator) {
      begins = true;
      continue;
    } else if (one === '"' && begins) {
      isOpen = true;
    }
    begins = false;
  }
  return isOpen;
}

/** A whole record's fields, or null where its quotes are wrong. */
export function fieldsOf(record, separator) {
  const fields = [];
  let at = 0;
  for (;;) {
    if (record[at] === '"') {
      let value = "";
      let from = at + 1;
      for (;;) {
        const end = record.indexOf('"', from);
        if (end < 0) return null;
        value += record.slice(from, end);
        if (record[end + 1] !== '"') {
          at = end + 1;
          break;
        }
        value += '"';
        from = end + 2;
      }
      if (at < record.length && record[at] !== separator) return null;
      fields.push(value);
    } else {
      const next = record.indexOf(separator, at);
      const end = next < 0 ? record.length : next;
      fields.push(record.slice(at, end));
      at = end;
    }
    if (at >= record.length) return fields;
    at += 1;
  }
}

/** One line of CSV, without its end. */
export function rowOf(fields, separator) {
  return fields
    .map((one) => {
      const value = String(one);
      const mustQuote = value.includes(separator) || /["\r\n]/.test(value);
      return mustQuote ? `"${value.replaceAll('"', '""')}"` : value;
    })
    .join(separator);
}
