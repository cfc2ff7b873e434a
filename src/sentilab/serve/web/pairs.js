// The second tab: pairs of texts, and whether the answer turns or stays as it should.

import { byId, debounced, el, percent } from "./dom.js";
import { PAIRS } from "./examples.js";
import { drawn, sideOf } from "./gauge.js";
import { isAbort } from "./trouble.js";

const ASK_AFTER = 300; // milliseconds

export class Pairs {
  #page;
  #models = [];
  #rows = [];
  #controller = new AbortController();
  #isShown = false;
  #isStale = true;

  constructor(page) {
    this.#page = page;
  }

  show(models) {
    this.#models = models;
    const own = new Row(this.#page, { kind: "your own", first: "not bad", second: "bad", turns: true }, models, () => this.#askOne(own));
    this.#rows = [own, ...PAIRS.map((pair) => new Row(this.#page, pair, models))];
    byId("pair-list").replaceChildren(...this.#rows.map(({ element }) => element));
    byId("pair-list").classList.toggle("two", models.length === 2);
    const isSentiment = models.every(({ labels }) => labels.includes("negative") && labels.includes("positive"));
    byId("pairs-note").hidden = isSentiment;
    byId("pairs-note").textContent = "These pairs were written for reviews, negative and positive; this model has other labels, so they may say little.";
    this.#isStale = true;
    this.#count();
    if (this.#isShown) this.opened();
  }

  /** Nothing is asked before the tab is opened. */
  opened() {
    this.#isShown = true;
    if (this.#isStale) this.ask();
  }

  closed() {
    this.#isShown = false;
  }

  async ask() {
    if (!this.#isShown) {
      this.#isStale = true;
      return;
    }
    this.#isStale = false;
    this.#controller.abort();
    this.#controller = new AbortController();
    await Promise.all(this.#models.map((model) => this.#askModel(model, this.#rows, this.#controller.signal)));
  }

  async #askOne(row) {
    const signal = row.renewed();
    await Promise.all(this.#models.map((model) => this.#askModel(model, [row], signal)));
  }

  async #askModel(model, rows, signal) {
    try {
      const texts = rows.flatMap(({ texts }) => texts);
      const answers = await this.#page.backend.predict(model.name, texts, { signal });
      if (signal.aborted) return;
      this.#page.recovered();
      rows.forEach((row, at) => row.set(model, answers.slice(2 * at, 2 * at + 2)));
      this.#count();
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      this.#isStale = true;
      this.#page.report(error);
    }
  }

  #count() {
    const rows = this.#rows.slice(1);
    const parts = this.#models.map((model) => {
      const judged = rows.map((row) => row.isAsExpected(model)).filter((one) => one !== null);
      if (!judged.length) return el("span", { class: "fine" }, `${model.name}: not asked yet`);
      const right = judged.filter(Boolean).length;
      return el("span", {}, el("strong", {}, `${right} of ${judged.length}`), ` as expected by ${model.name}`);
    });
    byId("pairs-sum").replaceChildren(...parts);
  }
}

/** The model's name, where two are shown and stand below one another. */
const whose = ({ name }) => el("span", { class: "whose fine", "aria-hidden": "true" }, name);

/** A pair with its answers. */
class Row {
  #page;
  #pair;
  #answers = new Map();
  #cells = new Map();
  #controller = new AbortController();

  constructor(page, pair, models, onChange) {
    this.#page = page;
    this.#pair = pair;
    const isOwn = onChange !== undefined;
    const head = el("p", { class: "pair-head" }, el("span", { class: "tag" }, pair.kind), " ", this.#expectation(isOwn, onChange));
    const lines = ["first", "second"].map((which) => {
      const cells = models.map((model) => this.#cell(model, which));
      return el("div", { class: "pair-line" }, isOwn ? this.#input(which, onChange) : this.#button(pair[which]), ...cells);
    });
    const outcomes = models.map((model) => {
      const outcome = el("p", { class: "outcome", "data-is": "waiting" }, "…");
      this.#cells.get(model.name).outcome = outcome;
      return el("div", {}, whose(model), outcome);
    });
    const names = models.length > 1 ? models.map(({ name }) => el("span", { class: "fine", "aria-hidden": "true" }, name)) : [];
    this.element = el("li", { class: isOwn ? "pair own" : "pair" }, el("div", { class: "pair-line pair-top" }, head, ...names), ...lines, el("div", { class: "pair-line outcomes" }, el("span", {}), ...outcomes));
  }

  get texts() {
    return [this.#pair.first, this.#pair.second];
  }

  /** A signal for asking this pair alone; what was asked before is dropped. */
  renewed() {
    this.#controller.abort();
    this.#controller = new AbortController();
    return this.#controller.signal;
  }

  /** null where the model has not answered. */
  isAsExpected(model) {
    const answers = this.#answers.get(model.name);
    if (!answers) return null;
    const [first, second] = answers;
    return (first.label !== second.label) === this.#pair.turns;
  }

  set(model, answers) {
    this.#answers.set(model.name, answers);
    const cells = this.#cells.get(model.name);
    ["first", "second"].forEach((which, at) => {
      const answer = answers[at];
      cells[which].drawing.set(answer);
      cells[which].said.textContent = `${answer.label} ${percent(answer.probability)} %`;
      cells[which].said.dataset.side = sideOf(model, answer.label);
    });
    this.#judge(model);
  }

  #judge(model) {
    const isRight = this.isAsExpected(model);
    const { outcome } = this.#cells.get(model.name);
    const turned = this.#answers.get(model.name)[0].label !== this.#answers.get(model.name)[1].label;
    outcome.dataset.is = isRight ? "right" : "wrong";
    const should = this.#pair.turns ? "turn" : "stay";
    outcome.textContent = `${isRight ? "✓" : "✗"} ${turned ? "turned" : "stayed"}, ${isRight ? "as it should" : `should ${should}`}`;
  }

  #cell(model, which) {
    const drawing = drawn(model, { isSmall: true });
    const said = el("span", { class: "said" }, "…");
    const cells = this.#cells.get(model.name) ?? {};
    cells[which] = { drawing, said };
    this.#cells.set(model.name, cells);
    return el("div", { class: "pair-answer", role: "group", "aria-label": model.name }, whose(model), drawing.element, said);
  }

  #button(text) {
    return el("button", { type: "button", class: "pair-text", title: "See it word by word", onclick: () => this.#page.read(text) }, text);
  }

  #input(which, onChange) {
    const later = debounced(onChange, ASK_AFTER);
    return el("input", {
      type: "text",
      class: "pair-text",
      value: this.#pair[which],
      dir: "auto",
      "aria-label": which === "first" ? "Your first text" : "Your second text",
      oninput: ({ target }) => {
        this.#pair[which] = target.value;
        later();
      },
    });
  }

  #expectation(isOwn, onChange) {
    if (!isOwn) return el("span", { class: "fine" }, this.#pair.turns ? "the label should turn" : "the label should stay");
    const select = el(
      "select",
      {
        "aria-label": "What the label should do",
        onchange: ({ target }) => {
          this.#pair.turns = target.value === "turns";
          onChange();
        },
      },
      el("option", { value: "turns" }, "the label should turn"),
      el("option", { value: "stays" }, "the label should stay"),
    );
    return select;
  }
}
