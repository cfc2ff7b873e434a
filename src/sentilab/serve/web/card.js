// The fourth tab: what each model is, and its card.

import { byId, counted, el, megabytes } from "./dom.js";
import { rendered } from "./markdown.js";
import { isAbort } from "./trouble.js";

const MOST_CARD = 100_000; // characters

export class Cards {
  #page;
  #models = [];
  #isShown = false;
  #isStale = true;
  #controller = new AbortController();

  constructor(page) {
    this.#page = page;
  }

  show(models) {
    this.#models = models;
    this.#isStale = true;
    if (this.#isShown) this.opened();
  }

  opened() {
    this.#isShown = true;
    if (this.#isStale) this.ask();
  }

  closed() {
    this.#isShown = false;
  }

  async ask() {
    if (!this.#isShown) return;
    this.#isStale = false;
    this.#controller.abort();
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    try {
      const made = await Promise.all(this.#models.map((model) => this.#made(model, signal)));
      if (!signal.aborted) byId("card-work").replaceChildren(...made);
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      this.#isStale = true;
      this.#page.report(error);
    }
  }

  async #made(model, signal) {
    const { backend } = this.#page;
    const [manifest, card] = await Promise.all([backend.manifest(model.name, { signal }), backend.card(model.name, { signal })]);
    const facts = [
      ["Labels", model.labels.join(", ")],
      ["Family", model.family],
      ["Reads", `the last ${counted(model.length, "word")}`],
      ["Knows", manifest.encoding ? `${counted(manifest.encoding.words, "word")} at most` : null],
      ["Calibration", model.temperature === null ? `none${manifest.uncalibrated ? `: ${manifest.uncalibrated}` : ""}` : `temperature ${model.temperature.toFixed(3)}`],
      ["Answers", model.labels.length === 2 ? `${model.labels[1]} above ${model.threshold}` : "the likeliest label"],
      ["Computed by", model.engine],
      ["Size", manifest.files?.["model.onnx"] ? megabytes(manifest.files["model.onnx"].bytes) : null],
      ["Made", manifest.created ? new Date(manifest.created).toLocaleDateString("en", { dateStyle: "long" }) : null],
      ["With", manifest.sentilab ? `Sentilab ${manifest.sentilab}` : null],
      ["Digest", manifest.digest ? manifest.digest.slice(0, 16) : null],
    ];
    return el(
      "article",
      { class: "model" },
      el(
        "div",
        { class: "model-facts" },
        el("h1", {}, model.name),
        el("dl", {}, ...facts.filter(([, said]) => said).map(([name, said]) => el("div", {}, el("dt", {}, name), el("dd", {}, said)))),
        ...(backend.kind === "static" ? [this.#int8(manifest), this.#check(model)] : []),
      ),
      el("div", { class: "prose" }, ...rendered(card.slice(0, MOST_CARD), 2)),
    );
  }

  #int8({ files, parity }) {
    const { "model.int8.onnx": small, "model.onnx": whole } = files;
    if (!small) return null;
    const { backend } = this.#page;
    const cost = typeof parity?.int8 === "number" ? ` Its probabilities differ by up to ${parity.int8.toFixed(3)}.` : "";
    return el(
      "label",
      { class: "check" },
      el("input", {
        type: "checkbox",
        checked: backend.int8,
        onchange: ({ target }) => {
          backend.int8 = target.checked;
          this.#page.askAgain();
        },
      }),
      ` Use the model with 8-bit weights: ${megabytes(small.bytes)} instead of ${megabytes(whole.bytes)}.${cost}`,
    );
  }

  /** Asks for the bundle's own examples, so that whoever sees the page can trust this copy. */
  #check(model) {
    const said = el("p", { class: "fine", role: "status" });
    const button = el(
      "button",
      {
        type: "button",
        onclick: async () => {
          button.disabled = true;
          said.textContent = "Asking …";
          try {
            const { texts, largest } = await this.#page.backend.check(model.name);
            said.textContent = `${counted(texts, "example")}; the largest difference in probability from the answers that the bundle promises is ${largest.toExponential(1)}.`;
          } catch (error) {
            said.textContent = error.message;
          }
          button.disabled = false;
        },
      },
      "Check this copy",
    );
    return el("div", { class: "self-check" }, button, said);
  }
}
