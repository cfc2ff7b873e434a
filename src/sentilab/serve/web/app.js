// The page: which backend answers, which models are shown, which tab is open, and what went wrong.

import { ServedBackend } from "./backend-served.js";
import { StaticBackend } from "./backend-static.js";
import { Cards } from "./card.js";
import { byId, el } from "./dom.js";
import { Files } from "./files.js";
import { Pairs } from "./pairs.js";
import { Reader } from "./reader.js";
import { Trouble } from "./trouble.js";

const TABS = ["read", "pairs", "file", "card"];

class Page {
  #models = [];
  #tabs = {};
  #open = "read";

  constructor() {
    // Exported pages name their list of models; a served one asks its server.
    const list = document.querySelector('meta[name="sentilab-models"]')?.content;
    this.backend = list ? new StaticBackend(list, (loading) => this.#tabs.read?.progress(loading)) : new ServedBackend();
    this.#listenForTheme();
    this.#listenForTabs();
    byId("key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#useKey(byId("key").value.trim());
    });
    for (const id of ["first", "second"]) byId(id).addEventListener("change", () => this.#choose());
  }

  async begin() {
    byId("starting").hidden = true;
    try {
      this.#models = await this.backend.models();
      if (!this.#models.length) throw new Trouble("broken", "This page has no model to ask.");
    } catch (error) {
      this.report(error);
      return;
    }
    this.#clear();
    byId("page").hidden = false;
    this.#fillChoices();
    this.#tabs = { read: new Reader(this), pairs: new Pairs(this), file: new Files(this), card: new Cards(this) };
    this.#choose();
    addEventListener("hashchange", () => this.open(location.hash.slice(1)));
    this.open(location.hash.slice(1));
  }

  /** Opens a tab by its name; the first for a name that is none. */
  open(name) {
    this.#open = TABS.includes(name) ? name : "read";
    for (const one of TABS) {
      const isOpen = one === this.#open;
      const tab = byId(`tab-${one}`);
      tab.setAttribute("aria-selected", isOpen);
      tab.tabIndex = isOpen ? 0 : -1;
      byId(one).hidden = !isOpen;
      if (isOpen) {
        this.#tabs[one].opened?.();
        tab.scrollIntoView({ block: "nearest", inline: "nearest" });
      } else {
        this.#tabs[one].closed?.();
      }
    }
    if (location.hash.slice(1) !== this.#open && (location.hash || this.#open !== "read")) {
      history.replaceState(null, "", `#${this.#open}`);
    }
  }

  /** Shows a text word by word. */
  read(text) {
    this.open("read");
    this.#tabs.read.write(text);
    byId("text").focus();
  }

  askAgain() {
    for (const one of Object.values(this.#tabs)) one.ask();
  }

  /** Tells of what keeps the page from working, and offers a way on. */
  report(error) {
    const trouble = byId("trouble");
    const again = el("button", { type: "button", onclick: () => this.#again() }, "Try again");
    const needsKey = error.code === "key_needed";
    const message = error instanceof Trouble ? error.message : `Something went wrong in the page itself: ${error.message}`;
    trouble.replaceChildren(el("p", {}, message), ...(needsKey ? [] : [again]));
    trouble.hidden = false;
    byId("key-form").hidden = !needsKey;
    if (needsKey && document.activeElement !== byId("text")) byId("key").focus();
  }

  /** An answer came: whatever was reported is over. */
  recovered() {
    if (!byId("trouble").hidden) this.#clear();
  }

  #clear() {
    byId("trouble").hidden = true;
    byId("trouble").replaceChildren();
    byId("key-form").hidden = true;
  }

  #again() {
    if (this.#models.length) this.askAgain();
    else this.begin();
  }

  #useKey(key) {
    // What no header can carry would look as if the server were gone.
    if (!/^[!-~]+$/.test(key)) {
      this.report(new Trouble("key_needed", "An API key has no spaces and no letters beyond ASCII."));
      return;
    }
    byId("key").value = "";
    this.backend.useKey(key);
    this.#again();
  }

  #fillChoices() {
    const options = () => this.#models.map(({ name }, at) => el("option", { value: at }, name));
    byId("first").replaceChildren(...options());
    byId("second").replaceChildren(el("option", { value: "" }, "no other"), ...options());
    byId("choices").hidden = false;
    byId("beside").hidden = this.#models.length < 2;
    byId("first").disabled = this.#models.length < 2;
  }

  #choose() {
    const [first, second] = ["first", "second"].map((id) => byId(id).value);
    const chosen = [this.#models[Number(first)]];
    if (second !== "" && second !== first) chosen.push(this.#models[Number(second)]);
    // A model beside itself says nothing.
    for (const option of byId("second").options) option.disabled = option.value === first;
    if (second === first) byId("second").value = "";
    for (const one of Object.values(this.#tabs)) one.show(chosen);
  }

  #listenForTabs() {
    byId("tabs").addEventListener("click", ({ target }) => {
      const tab = target.closest("[role=tab]");
      if (tab) this.open(tab.getAttribute("aria-controls"));
    });
    byId("tabs").addEventListener("keydown", (event) => {
      const at = TABS.indexOf(this.#open);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.open(TABS[(to + TABS.length) % TABS.length]);
      byId(`tab-${this.#open}`).focus();
    });
  }

  #listenForTheme() {
    const button = byId("theme");
    const system = matchMedia("(prefers-color-scheme: dark)");
    const root = document.documentElement;
    const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
    const say = () => button.setAttribute("aria-pressed", isDark());
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try {
        localStorage.setItem("sentilab-theme", root.dataset.theme);
      } catch {
        // Then it holds until the page is left.
      }
      say();
    });
    system.addEventListener("change", say);
    say();
  }
}

new Page().begin();
