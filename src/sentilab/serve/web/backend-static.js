// Computes in this browser: a worker runs the models that lie beside the page.

import { Trouble } from "./trouble.js";

// As many as a server takes, if it is not told otherwise.
const MOST_CHARACTERS = 100_000;
const INT8 = "model.int8.onnx";

export class StaticBackend {
  kind = "static";
  privacy = "Everything is computed in this browser. What you write never leaves it.";
  #list;
  #described = new Map();
  #runtime = { name: "", bytes: 0 };
  #worker = null;
  #calls = new Map();
  #number = 0;
  #onProgress;

  /** `onProgress({name, loaded, total})` hears of models being loaded; both are bytes. */
  constructor(list, onProgress) {
    this.#list = new URL(list, document.baseURI);
    this.#onProgress = onProgress;
    this.int8 = new URLSearchParams(location.search).has("int8");
  }

  async models() {
    const { models, runtime } = await (await fetched(this.#list)).json();
    this.#runtime = runtime;
    this.#described = new Map(models.map((one) => [one.name, one]));
    return models.map((one) => ({
      name: one.name,
      labels: one.labels,
      family: one.model.family,
      length: one.encoding.length,
      temperature: one.temperature,
      threshold: one.threshold,
      engine: "ONNX Runtime in this browser (WebAssembly, one thread)",
    }));
  }

  async manifest(name) {
    return this.#described.get(name);
  }

  async card(name, { signal } = {}) {
    const { folder } = this.#described.get(name);
    return (await fetched(new URL(`${folder}README.md`, this.#list), signal)).text();
  }

  async predict(name, texts, { signal } = {}) {
    texts.forEach(requireShort);
    return this.#call("predict", { model: this.#model(name), texts }, { signal });
  }

  async explain(name, text, { signal, onPart } = {}) {
    requireShort(text);
    return this.#call("explain", { model: this.#model(name), text }, { signal, onPart });
  }

  /** {texts, largest}: the bundle's own examples, and the largest difference from their answers. */
  async check(name, { signal } = {}) {
    const { folder } = this.#described.get(name);
    const golden = await (await fetched(new URL(`${folder}golden.json`, this.#list), signal)).json();
    const answers = await this.predict(name, golden.texts, { signal });
    const differences = answers.flatMap((answer, row) =>
      Object.values(answer.probabilities).map((p, at) => Math.abs(p - golden.probabilities[row][at])),
    );
    return { texts: answers.length, largest: Math.max(...differences) };
  }

  #model(name) {
    const { folder, files, labels, temperature, threshold, model } = this.#described.get(name);
    const graph = this.int8 && files[INT8] ? INT8 : "model.onnx";
    return {
      name,
      url: new URL(folder, this.#list).href,
      graph,
      files,
      runtimeBytes: this.#runtime.bytes,
      labels,
      temperature,
      threshold,
      // Bundles made before there was such a key say it by a masked embedding alone.
      ignoresPadding: model.ignores_padding ?? model.layers?.[0]?.settings?.masked === true,
    };
  }

  #call(action, content, { signal, onPart } = {}) {
    signal?.throwIfAborted();
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.#worker?.postMessage({ action: "cancel", number });
        this.#calls.delete(number);
        reject(signal.reason);
      };
      signal?.addEventListener("abort", stop, { once: true });
      const done = () => signal?.removeEventListener("abort", stop);
      this.#calls.set(number, { resolve, reject, onPart, done });
      this.#started().postMessage({ action, number, ...content });
    });
  }

  #started() {
    if (this.#worker === null) {
      this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
      this.#worker.addEventListener("message", ({ data }) => this.#hear(data));
      this.#worker.addEventListener("error", (event) => {
        event.preventDefault();
        this.#giveUp(event.message || "its worker cannot be loaded");
      });
    }
    return this.#worker;
  }

  #hear({ kind, number, content }) {
    if (kind === "progress") {
      this.#onProgress(content);
      return;
    }
    const call = this.#calls.get(number);
    if (!call) return;
    if (kind === "part") {
      call.onPart?.(content);
      return;
    }
    this.#calls.delete(number);
    call.done();
    if (kind === "answer") call.resolve(content);
    else call.reject(new Trouble(content.code, content.message));
  }

  #giveUp(why) {
    this.#worker?.terminate();
    this.#worker = null;
    const trouble = new Trouble("broken", `The model cannot run in this browser: ${why}.`);
    for (const call of this.#calls.values()) {
      call.done();
      call.reject(trouble);
    }
    this.#calls.clear();
  }
}

function requireShort(text) {
  if (text.length <= MOST_CHARACTERS) return;
  throw new Trouble(
    "text_too_long",
    `This text has ${text.length.toLocaleString("en")} characters; ${MOST_CHARACTERS.toLocaleString("en")} is the most.`,
  );
}

async function fetched(url, signal) {
  let answer;
  try {
    answer = await fetch(url, { signal });
  } catch (error) {
    if (error?.name === "AbortError") throw error;
    throw new Trouble("unreachable", `${url.pathname} cannot be loaded. Is the page’s server reachable?`);
  }
  if (answer.ok) return answer;
  throw new Trouble("unreachable", `${url.pathname} cannot be loaded (${answer.status}).`);
}
