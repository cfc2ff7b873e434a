// The third tab: a CSV in, the same with answers out.

import { openTable, rowOf, textColumn } from "./csv.js";
import { byId, counted, el, megabytes, percent } from "./dom.js";
import { sideOf } from "./gauge.js";
import { addedColumns, scoreTable } from "./scoring.js";
import { Trouble } from "./trouble.js";

const MOST_LISTED = 100; // rows set aside
const PREVIEW = 3;
const SHORT = 140; // characters

const brief = (text) => (text.length > SHORT ? `${text.slice(0, SHORT)} …` : text);

export class Files {
  #page;
  #models = [];
  #controller = null;
  #addresses = [];
  #redraw = () => this.#begin();
  #work = byId("file-work");

  constructor(page) {
    this.#page = page;
    this.#listenForDrops();
  }

  show(models) {
    this.#models = models;
    this.#redraw();
  }

  opened() {}

  closed() {}

  ask() {}

  #listenForDrops() {
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    let depth = 0;
    const veil = (isShown) => document.body.classList.toggle("dropping", isShown);
    addEventListener("dragenter", (event) => {
      if (!hasFiles(event)) return;
      depth += 1;
      veil(true);
    });
    addEventListener("dragleave", () => {
      depth = Math.max(0, depth - 1);
      if (depth === 0) veil(false);
    });
    addEventListener("dragover", (event) => {
      if (hasFiles(event)) event.preventDefault();
    });
    addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth = 0;
      veil(false);
      this.#page.open("file");
      this.#take(event.dataTransfer.files);
    });
  }

  #take(files) {
    if (this.#controller) return;
    if (files.length === 1) this.#open(files[0]);
    else this.#begin(new Trouble("not_csv", "Give one file at a time."));
  }

  /** The empty state, with what was wrong with the last file. */
  #begin(error = null) {
    this.#release();
    this.#redraw = () => this.#begin(error);
    const input = el("input", { type: "file", id: "file-input", accept: ".csv,.tsv,.tab,text/csv,text/tab-separated-values", onchange: ({ target }) => this.#take(target.files) });
    const zone = el(
      "label",
      { class: "zone", for: "file-input" },
      input,
      el("strong", {}, "Drop a CSV here, or choose one"),
      el("span", { class: "fine" }, "UTF-8, with the columns’ names in the first line; commas, semicolons or tabs."),
    );
    const example = el("button", { type: "button", class: "chip", onclick: () => this.#open(exampleFile()) }, "Try a small example file");
    this.#work.replaceChildren(
      ...(error ? [el("p", { class: "trouble inline", role: "alert" }, error.message)] : []),
      zone,
      el("p", { class: "after-zone" }, example),
      el("p", { class: "fine" }, this.#page.backend.privacy),
    );
  }

  async #open(file) {
    try {
      const table = await openTable(file);
      this.#choose(file, table);
    } catch (error) {
      this.#begin(error instanceof Trouble ? error : new Trouble("not_csv", `This file cannot be read (${error.message}).`));
    }
  }

  /** Which column holds the texts, and which model is to score them. */
  #choose(file, table) {
    this.#redraw = () => this.#choose(file, table);
    const { column, isSure } = textColumn(table);
    const select = el("select", { id: "column", onchange: () => preview() }, ...table.columns.map((name, at) => el("option", { value: at, selected: at === column }, name || `column ${at + 1}`)));
    const model = el("select", { id: "file-model" }, ...this.#models.map(({ name }, at) => el("option", { value: at }, name)));
    const shown = el("ol", { class: "preview" });
    const preview = () => {
      const texts = table.sample.slice(0, PREVIEW).map((row) => row[Number(select.value)]);
      shown.replaceChildren(...texts.map((text) => el("li", { dir: "auto" }, brief(text) || "(empty)")));
    };
    preview();
    const start = el("button", { type: "submit", class: "main" }, "Score this file");
    const form = el(
      "form",
      {
        class: "choose",
        onsubmit: (event) => {
          event.preventDefault();
          this.#run({ file, table, column: Number(select.value), model: this.#models[Number(model.value)] });
        },
      },
      this.#named(file),
      isSure ? null : el("p", { class: "note" }, "No column is named like one of texts. The longest is chosen; look whether it is the right one."),
      el("div", { class: "fields" }, el("label", {}, el("span", {}, "Column of texts"), select), this.#models.length > 1 ? el("label", {}, el("span", {}, "Model"), model) : null),
      table.sample.length ? shown : el("p", { class: "note" }, "No row of its beginning can be read; all will be looked at."),
      el("p", { class: "fine" }, `Columns that are added: ${addedColumns(table.columns, this.#models[0].labels).join(", ")}.`),
      el("p", { class: "buttons" }, start, " ", el("button", { type: "button", onclick: () => this.#begin() }, "Another file")),
    );
    this.#work.replaceChildren(form);
    (isSure ? start : select).focus();
  }

  #named(file) {
    return el("p", { class: "file-name" }, el("strong", {}, file.name), " ", el("span", { class: "fine" }, megabytes(file.size)));
  }

  async #run(job) {
    const { file, model } = job;
    // The models chosen for the page may change meanwhile; this work and its result stay.
    this.#redraw = () => {};
    this.#controller = new AbortController();
    const bar = el("progress", { max: Math.max(1, file.size), value: 0, "aria-label": "Part of the file that is done" });
    const said = el("p", { class: "fine" }, "Beginning …");
    const stop = el("button", { type: "button", onclick: () => this.#controller.abort() }, "Stop");
    this.#work.replaceChildren(this.#named(file), el("div", { class: "running" }, bar, said, stop));
    stop.focus();
    const began = performance.now();
    const result = await scoreTable({
      ...job,
      backend: this.#page.backend,
      signal: this.#controller.signal,
      onProgress: ({ read, scored, rejected }) => {
        bar.value = read;
        const pace = scored / Math.max(0.001, (performance.now() - began) / 1000);
        const aside = rejected ? `, ${rejected.toLocaleString("en")} set aside` : "";
        said.textContent = `${counted(scored, "row")} scored${aside}; ${Math.round(pace).toLocaleString("en")} a second, ${Math.round((100 * read) / file.size)} % of the file`;
      },
    });
    this.#controller = null;
    if (result.error?.isGeneral) this.#page.report(result.error);
    this.#finished(job, result, model);
  }

  #finished(job, result, model) {
    const { file } = job;
    const heading = el("h2", { tabIndex: -1 }, result.stopped ? `Stopped after ${counted(result.scored, "row")}` : `${counted(result.scored, "row")} scored`);
    const parts = [this.#named(file), heading];
    if (result.stopped) parts.push(el("p", { class: "note" }, `${result.stopped} What was scored until then can be saved.`));
    if (result.scored) {
      parts.push(
        this.#shares(result, model),
        el("p", { class: "buttons" }, this.#link(result.blob, renamed(file.name, "scored"), `Save ${renamed(file.name, "scored")}`), " ", el("button", { type: "button", onclick: () => this.#begin() }, "Another file")),
        this.#first(result, model),
      );
    } else {
      parts.push(
        el("p", { class: "note" }, result.stopped ? "Nothing was scored." : "There is no row in this file that could be scored."),
        el("p", { class: "buttons" }, el("button", { type: "button", onclick: () => this.#begin() }, "Another file")),
      );
    }
    if (result.rejected.length) parts.push(this.#rejected(file, result.rejected));
    this.#work.replaceChildren(...parts);
    heading.focus();
  }

  #shares({ counts, scored }, model) {
    const shown = [...counts].filter(([, count]) => count).sort(([, one], [, other]) => other - one);
    return el(
      "ul",
      { class: "shares" },
      ...shown.map(([label, count]) => {
        const fill = el("span", { class: `bar-fill ${sideOf(model, label)}` });
        fill.style.setProperty("--at", count / scored);
        return el("li", {}, el("span", { class: "bar-name" }, label), el("span", { class: "bar-line" }, fill), el("span", { class: "bar-p" }, `${count.toLocaleString("en")} (${percent(count / scored)} %)`));
      }),
    );
  }

  #first({ first }, model) {
    const row = ({ line, text, label, probability }) =>
      el("tr", {}, el("td", { class: "n" }, line.toLocaleString("en")), el("td", { dir: "auto" }, brief(text)), el("td", { class: `side ${sideOf(model, label)}` }, label), el("td", { class: "n" }, `${percent(probability)} %`));
    const head = ["line", "text", "label", "probability"].map((name) => el("th", { scope: "col", class: ["line", "probability"].includes(name) ? "n" : null }, name));
    return el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "The first rows" }, el("table", {}, el("caption", {}, "The first rows"), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...first.map(row))));
  }

  #rejected(file, rejected) {
    const listed = rejected.slice(0, MOST_LISTED).map(({ line, reason, raw }) => el("tr", {}, el("td", { class: "n" }, line.toLocaleString("en")), el("td", {}, reason), el("td", { dir: "auto" }, brief(raw))));
    const lines = rejected.map(({ line, reason, raw }) => `${rowOf([line, reason, raw], ",")}\n`);
    const blob = new Blob(["line,reason,row\n", ...lines], { type: "text/csv;charset=utf-8" });
    const head = ["line", "what is wrong", "row"].map((name, at) => el("th", { scope: "col", class: at ? null : "n" }, name));
    return el(
      "details",
      { class: "aside", open: true },
      el("summary", {}, `${counted(rejected.length, "row")} set aside`),
      el("p", {}, this.#link(blob, renamed(file.name, "rejected", ".csv"), "Save them, with what is wrong", true)),
      el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Rows set aside" }, el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...listed))),
      rejected.length > MOST_LISTED ? el("p", { class: "fine" }, `The first ${MOST_LISTED} are listed.`) : null,
    );
  }

  #link(blob, name, said, isQuiet = false) {
    const address = URL.createObjectURL(blob);
    this.#addresses.push(address);
    return el("a", { class: isQuiet ? null : "main", href: address, download: name }, said);
  }

  #release() {
    this.#addresses.forEach((one) => URL.revokeObjectURL(one));
    this.#addresses = [];
  }
}

/** "reviews.csv" -> "reviews.scored.csv". */
function renamed(name, what, ending) {
  const dot = name.lastIndexOf(".");
  const stem = dot > 0 ? name.slice(0, dot) : name;
  return `${stem}.${what}${ending ?? (dot > 0 ? name.slice(dot) : ".csv")}`;
}

function exampleFile() {
  const rows = [
    "id,review",
    '1,"A quiet, lovely film; I was sorry when it ended."',
    '2,"It goes on and on, and then it stops."',
    '3,"The critic called it ""a masterpiece"". I called a taxi."',
    "4,Wonderful from the first scene to the last.",
    "5,Not bad at all!",
    "6,The worst sequel that I have seen.",
  ];
  return new File([`${rows.join("\n")}\n`], "example.csv", { type: "text/csv" });
}
