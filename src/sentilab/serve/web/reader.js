// The first tab: a text, and one or two models' answers as it is written.

import { announce, byId, counted, debounced, el, percent } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { drawn, sideOf } from "./gauge.js";
import { wordsOf } from "./tokeniser.js";
import { isAbort } from "./trouble.js";
import { carried, legend, marked, sidesOf, strongest, table } from "./weights.js";

const PREDICT_AFTER = 120; // milliseconds without a keystroke
const EXPLAIN_AFTER = 180; // and after the answer

export class Reader {
  #page;
  #answers = [];
  #text = byId("text");

  constructor(page) {
    this.#page = page;
    const ask = debounced(() => this.#ask(), PREDICT_AFTER);
    this.#text.addEventListener("input", () => {
      this.#count();
      ask();
    });
    byId("clear").addEventListener("click", () => {
      this.write("");
      this.#text.focus();
    });
    for (const { title, text } of EXAMPLES) {
      byId("examples").append(
        el("button", { type: "button", class: "chip", "aria-describedby": "examples-label", onclick: () => this.write(text) }, title),
      );
    }
    byId("privacy").textContent = page.backend.privacy;
    this.#count();
  }

  /** Puts a text into the editor and asks at once. */
  write(text) {
    this.#text.value = text;
    this.#count();
    this.#ask();
  }

  /** Shows these models' answers, one or two. */
  show(models) {
    this.#answers.forEach((one) => one.stop());
    this.#answers = models.map((model) => new Answer(this.#page, model, () => this.write(EXAMPLES[0].text)));
    byId("answers").replaceChildren(...this.#answers.map(({ element }) => element));
    byId("desk").classList.toggle("two", models.length === 2);
    this.#ask();
  }

  ask() {
    this.#ask();
  }

  progress(loading) {
    for (const one of this.#answers) if (one.name === loading.name) one.progress(loading);
  }

  #ask() {
    for (const one of this.#answers) one.ask(this.#text.value);
  }

  #count() {
    const text = this.#text.value;
    const words = wordsOf(text).length;
    byId("count").textContent = words ? counted(words, "word") : "no words yet";
    byId("clear").hidden = text === "";
  }
}

/** One model's answer to the newest text. */
class Answer {
  #page;
  #model;
  #asked = null;
  #pieces = [];
  #controller = new AbortController();
  #explain = debounced(() => this.#explainNow(), EXPLAIN_AFTER);
  #isOpen = false;

  constructor(page, model, onExample) {
    this.#page = page;
    this.#model = model;
    this.drawing = drawn(model);
    this.verdict = el("p", { class: "verdict" });
    this.facts = el("p", { class: "fine facts" });
    this.words = el("div", { class: "reading" });
    this.more = el("div", { class: "more" });
    this.empty = el(
      "div",
      { class: "empty" },
      el("p", { class: "shown", "aria-hidden": "true" }, "A ", el("mark", { class: "below" }, "dull"), " start, but a ", el("mark", { class: "above" }, "wonderful"), " end."),
      el("p", {}, "The answer appears here as you write: the label, how sure the model is of it, and what each word does to it."),
      el("button", { type: "button", class: "main", onclick: onExample }, "Try an example review"),
    );
    this.loading = el("div", { class: "loading", hidden: true }, el("p", { class: "fine" }), el("progress", { max: 1, value: 0, "aria-label": "Loading the model" }));
    this.trouble = el("p", { class: "trouble inline", role: "alert", hidden: true });
    this.full = el("div", { class: "full", hidden: true }, this.verdict, this.drawing.element, this.facts, this.words, this.more);
    this.element = el(
      "article",
      { class: "answer", "aria-label": `The answer of ${model.name}` },
      el("h2", {}, model.name),
      this.loading,
      this.trouble,
      this.empty,
      this.full,
    );
  }

  stop() {
    this.#controller.abort();
    this.#explain.cancel();
  }

  async ask(text) {
    this.stop();
    this.#controller = new AbortController();
    this.#asked = text;
    this.trouble.hidden = true;
    this.element.removeAttribute("aria-busy");
    const isEmpty = text.trim() === "";
    this.empty.hidden = !isEmpty;
    if (isEmpty) {
      this.full.hidden = true;
      this.#pieces = [];
      return;
    }
    const { signal } = this.#controller;
    this.element.setAttribute("aria-busy", "true");
    try {
      const [answer] = await this.#page.backend.predict(this.#model.name, [text], { signal });
      if (signal.aborted) return;
      this.#page.recovered();
      this.#showAnswer(answer, text);
      this.#explain();
    } catch (error) {
      this.#fail(error, signal);
    }
  }

  async #explainNow() {
    const { signal } = this.#controller;
    const text = this.#asked;
    try {
      const found = await this.#page.backend.explain(this.#model.name, text, {
        signal,
        onPart: (part) => {
          if (!signal.aborted) this.#showWords(part, text, true);
        },
      });
      if (!signal.aborted) this.#showWords(found, text, false);
    } catch (error) {
      this.#fail(error, signal);
    }
  }

  #fail(error, signal) {
    if (isAbort(error) || signal.aborted) return;
    this.element.removeAttribute("aria-busy");
    if (error.isGeneral) {
      this.full.classList.add("stale");
      this.#page.report(error);
      return;
    }
    this.trouble.textContent = error.message;
    this.trouble.hidden = false;
    this.full.hidden = true;
    if (error.code === "busy") setTimeout(() => this.#again(signal), 1000 * (error.wait || 1));
  }

  #again(signal) {
    if (!signal.aborted) this.ask(this.#asked);
  }

  /** Bytes of the model that have come so far. */
  progress({ loaded, total, done }) {
    this.loading.hidden = Boolean(done);
    if (done) return;
    const [said, bar] = this.loading.children;
    const shown = [loaded, total].map((bytes) => (bytes / 1e6).toFixed(1));
    said.textContent = `Loading the model, once: ${shown[0]} of ${shown[1]} MB`;
    bar.value = loaded / total;
  }

  get name() {
    return this.#model.name;
  }

  #showAnswer(answer, text) {
    const model = this.#model;
    this.full.hidden = false;
    this.full.classList.remove("stale");
    this.verdict.dataset.side = sideOf(model, answer.label);
    this.verdict.replaceChildren(
      el("span", { class: "label", dir: "auto" }, answer.label),
      " ",
      el("span", { class: "probability" }, percent(answer.probability), el("small", {}, " %")),
    );
    this.drawing.set(answer);
    const unread = answer.words - answer.read;
    const read = unread
      ? `Read the last ${counted(answer.read, "word")}; the ${unread.toLocaleString("en")} before were cut off.`
      : `Read ${counted(answer.read, "word")}.`;
    const sure = model.temperature === null ? "The probability is not calibrated." : `Calibrated, temperature ${model.temperature.toFixed(2)}.`;
    this.facts.textContent = `${read} ${sure}`;
    this.#pieces = carried(text, this.#pieces, model.length);
    this.#draw(this.#pieces, model.labels.length === 2 ? model.labels[1] : answer.label, true);
    announce(`${model.name}: ${answer.label}, ${percent(answer.probability)} percent.`);
  }

  #showWords(found, text, isPart) {
    if (text !== this.#asked) return;
    if (!isPart) {
      this.#pieces = found.pieces;
      this.element.removeAttribute("aria-busy");
      this.#draw(found.pieces, found.side, false);
      return;
    }
    // What is not known yet keeps the weight that it had.
    const before = this.#pieces;
    this.#pieces = found.pieces.map((piece, at) => (piece.weight === undefined && before[at]?.text === piece.text ? before[at] : piece));
    this.#draw(this.#pieces, found.side, true);
  }

  #draw(pieces, side, isOld) {
    const sides = sidesOf(this.#model, side);
    const before = this.words.firstElementChild;
    const scrolled = before?.scrollTop ?? 0;
    const isAtEnd = !before || scrolled + before.clientHeight >= before.scrollHeight - 4;
    const text = marked(pieces, sides, isOld);
    this.words.replaceChildren(text, legend(sides));
    // A long text is shown at its end, where one writes, until it is scrolled by hand.
    text.scrollTop = isAtEnd ? text.scrollHeight : scrolled;
    if (text.scrollHeight > text.clientHeight) text.tabIndex = 0;
    if (isOld) return;
    const details = el("details", { open: this.#isOpen }, el("summary", {}, "Every word’s weight, as a table"));
    // A table of a long text takes time to make: not before it is wanted.
    const fill = () => {
      this.#isOpen = details.open;
      if (details.open && details.children.length === 1) details.append(table(pieces, sides, side));
    };
    details.addEventListener("toggle", fill);
    fill();
    this.more.replaceChildren(strongest(pieces, sides), details);
  }
}
