// The models, in a thread of their own. Messages: {action, number, ...} in; {kind, number, content} out.

import * as ort from "./runtime/ort.wasm.bundle.min.mjs";
import { OUT_OF_VOCABULARY, PAD, piecesOf, Vocabulary } from "./tokeniser.js";
import { Trouble } from "./trouble.js";

// Computed at once: few enough that a newer text does not wait long, and that memory suffices.
const ROWS = 32;
const TOKENS = 16_000;

// As near to 0 and 1 as in Python's sentilab.bundle.predictor.
const CLIP = 1e-7;

const RUNTIME = new URL("runtime/ort-wasm-simd-threaded.wasm", import.meta.url);

const cancelled = new Set();
const models = new Map();
let runtime = null;

const clipped = (p) => Math.min(Math.max(p, CLIP), 1 - CLIP);

const logOdds = (p) => Math.log(clipped(p) / (1 - clipped(p)));

/** softmax(log p / T) of one text's probabilities, in single precision as in Python. */
function calibrated(row, temperature) {
  if (temperature === null) return Array.from(row);
  const logits = Array.from(row, (p) => Math.log(clipped(p)) / temperature);
  const highest = Math.max(...logits);
  const grown = logits.map((one) => Math.exp(one - highest));
  const total = grown.reduce((sum, one) => sum + one, 0);
  return grown.map((one) => Math.fround(one / total));
}

async function fetched(url, onBytes) {
  let answer;
  try {
    answer = await fetch(url);
  } catch {
    throw new Trouble("unreachable", `${new URL(url).pathname} cannot be loaded. Is the page’s server reachable?`);
  }
  if (!answer.ok) {
    throw new Trouble("unreachable", `${new URL(url).pathname} cannot be loaded (${answer.status}).`);
  }
  const parts = [];
  let size = 0;
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
    onBytes(value.length);
  }
  const content = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    content.set(part, at);
    at += part.length;
  }
  return content;
}

async function checked(url, { bytes, sha256 }, onBytes) {
  const content = await fetched(url, onBytes);
  let isRight = content.length === bytes;
  // Browsers give checksums only to pages that came over https or from this machine.
  if (isRight && globalThis.crypto?.subtle) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
    isRight = Array.from(digest, (one) => one.toString(16).padStart(2, "0")).join("") === sha256;
  }
  if (isRight) return content;
  throw new Trouble("broken", `${new URL(url).pathname} is not the file that was exported. Copy the page again.`);
}

function loadedRuntime(onBytes) {
  runtime ??= (async () => {
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.proxy = false;
    ort.env.logLevel = "error";
    ort.env.wasm.wasmBinary = await fetched(RUNTIME, onBytes);
  })();
  runtime.catch(() => {
    runtime = null;
  });
  return runtime;
}

/** The model ready to run; loaded when it is first asked for. */
function loaded(model) {
  const key = model.url + model.graph;
  if (!models.has(key)) {
    const loading = load(model);
    models.set(key, loading);
    loading.catch(() => models.delete(key));
  }
  return models.get(key);
}

async function load(model) {
  const needed = [model.graph, "vocabulary.json"];
  let got = 0;
  let total = needed.reduce((sum, name) => sum + model.files[name].bytes, 0);
  if (runtime === null) total += model.runtimeBytes;
  let told = 0;
  const onBytes = (bytes) => {
    got += bytes;
    if (got - told < 200_000 && got < total) return;
    told = got;
    tell("progress", 0, { name: model.name, loaded: Math.min(got, total), total });
  };
  tell("progress", 0, { name: model.name, loaded: 0, total });
  const [graph, vocabulary] = await Promise.all([
    ...needed.map((name) => checked(model.url + name, model.files[name], onBytes)),
    loadedRuntime(onBytes),
  ]);
  const session = await ort.InferenceSession.create(graph, {
    executionProviders: ["wasm"],
    logSeverityLevel: 4,
  });
  tell("progress", 0, { name: model.name, loaded: total, total, done: true });
  const content = JSON.parse(new TextDecoder().decode(vocabulary));
  return { ...model, session, vocabulary: new Vocabulary(content) };
}

// One run at a time; what asks next is served next, so that a prediction comes between the parts
// of an explanation.
let turn = Promise.resolve();
function inTurn(job) {
  const mine = turn.then(job);
  turn = mine.catch(() => {});
  return mine;
}

/** Calibrated probabilities of encoded texts, an array each. */
async function scores(model, rows) {
  const { length } = model.vocabulary;
  // Where padding changes nothing, columns of nothing else are left out.
  const begins = rows.map((ids) => ids.findIndex((one) => one !== PAD)).map((at) => (at < 0 ? length - 1 : at));
  const first = model.ignoresPadding ? Math.min(...begins) : 0;
  const ids = new Int32Array(rows.length * (length - first));
  rows.forEach((row, at) => ids.set(row.subarray(first), at * (length - first)));
  const tensor = new ort.Tensor("int32", ids, [rows.length, length - first]);
  const { probabilities } = await inTurn(() => model.session.run({ ids: tensor }));
  const { data, dims } = probabilities;
  const found = rows.map((_, at) => calibrated(data.subarray(at * dims[1], (at + 1) * dims[1]), model.temperature));
  probabilities.dispose();
  tensor.dispose();
  return found;
}

function decided(model, row) {
  if (row.length === 2) return row[1] > model.threshold ? 1 : 0;
  return row.indexOf(Math.max(...row));
}

function answerOf(model, row) {
  const number = decided(model, row);
  return {
    label: model.labels[number],
    probability: row[number],
    probabilities: Object.fromEntries(model.labels.map((label, at) => [label, row[at]])),
  };
}

// Lets messages that have come in meanwhile be heard.
const breath = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });

class Cancelled extends Error {}

async function goOn(number) {
  await breath();
  if (cancelled.has(number)) throw new Cancelled();
}

const rowsOf = ({ length }) => Math.max(1, Math.min(ROWS, Math.floor(TOKENS / length)));

async function predict({ number, model: asked, texts }) {
  const model = await loaded(asked);
  const encoded = texts.map((text) => model.vocabulary.encode(text));
  const answers = new Array(texts.length);
  // Like lengths side by side leave more columns out.
  const order = encoded.map((_, at) => at).sort((one, other) => encoded[one].read - encoded[other].read);
  const rows = rowsOf(model.vocabulary);
  for (let at = 0; at < order.length; at += rows) {
    await goOn(number);
    const part = order.slice(at, at + rows);
    const found = await scores(model, part.map((row) => encoded[row].ids));
    part.forEach((row, nth) => {
      const { words, read } = encoded[row];
      answers[row] = { ...answerOf(model, found[nth]), words, read };
    });
  }
  return answers;
}

async function explain({ number, model: asked, text }) {
  const model = await loaded(asked);
  const { ids, words, read, spans } = model.vocabulary.encode(text);
  await goOn(number);
  const [whole] = await scores(model, [ids]);
  const side = model.labels.length === 2 ? 1 : decided(model, whole);
  const weights = new Array(read).fill(0);
  const first = ids.length - read;
  // From the end, where one writes; a word out of the vocabulary already has nothing to lose.
  const places = [...weights.keys()].reverse().filter((at) => ids[first + at] !== OUT_OF_VOCABULARY);
  const known = new Array(read).fill(true);
  places.forEach((at) => {
    known[at] = false;
  });
  const described = () => ({
    ...answerOf(model, whole),
    side: model.labels[side],
    words,
    read,
    pieces: piecesOf(text, spans, weights.map((weight, at) => (known[at] ? weight : undefined))),
  });
  const rows = rowsOf(model.vocabulary);
  for (let at = 0; at < places.length; at += rows) {
    await goOn(number);
    const part = places.slice(at, at + rows);
    const found = await scores(
      model,
      part.map((place) => {
        const without = ids.slice();
        without[first + place] = OUT_OF_VOCABULARY;
        return without;
      }),
    );
    part.forEach((place, nth) => {
      weights[place] = logOdds(whole[side]) - logOdds(found[nth][side]);
      known[place] = true;
    });
    if (at + rows < places.length) tell("part", number, described());
  }
  return described();
}

const ACTIONS = { predict, explain };

function tell(kind, number, content) {
  postMessage({ kind, number, content });
}

addEventListener("message", async ({ data }) => {
  const { action, number } = data;
  if (action === "cancel") {
    cancelled.add(number);
    return;
  }
  try {
    tell("answer", number, await ACTIONS[action](data));
  } catch (error) {
    if (error instanceof Cancelled) return;
    const code = error instanceof Trouble ? error.code : "broken";
    const message = error instanceof Trouble ? error.message : `The model cannot run in this browser: ${error?.message ?? error}.`;
    tell("error", number, { code, message });
  } finally {
    cancelled.delete(number);
  }
});
