// Asks the server that served this page.

import { Trouble } from "./trouble.js";

const KEY = "sentilab-key";

const stored = () => {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
};

export class ServedBackend {
  kind = "served";
  #key = stored();

  get privacy() {
    return `What you write is sent to this page’s own server, ${location.host}, and nowhere else.`;
  }

  /** Kept for this tab alone, until it is closed. */
  useKey(key) {
    this.#key = key;
    try {
      sessionStorage.setItem(KEY, key);
    } catch {
      // Then it is kept until the page is left.
    }
  }

  async models() {
    return (await this.#json("v1/models")).models;
  }

  manifest(name, { signal } = {}) {
    return this.#json(`v1/models/${encodeURIComponent(name)}`, { signal });
  }

  async card(name, { signal } = {}) {
    const answer = await this.#ask(`v1/models/${encodeURIComponent(name)}/card`, { signal });
    return answer.text();
  }

  async predict(name, texts, { signal } = {}) {
    return (await this.#post(name, "predict", { texts }, signal)).answers;
  }

  explain(name, text, { signal } = {}) {
    return this.#post(name, "explain", { text }, signal);
  }

  #post(name, action, content, signal) {
    return this.#json(`v1/models/${encodeURIComponent(name)}/${action}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(content),
      signal,
    });
  }

  async #json(path, options) {
    const answer = await this.#ask(path, options);
    try {
      return await answer.json();
    } catch (error) {
      if (error?.name === "AbortError") throw error;
      throw new Trouble("broken", "The server’s answer cannot be read. Is this page its own?");
    }
  }

  async #ask(path, options = {}) {
    const headers = { ...options.headers };
    if (this.#key) headers.authorization = `Bearer ${this.#key}`;
    let answer;
    try {
      answer = await fetch(new URL(path, document.baseURI), { ...options, headers });
    } catch (error) {
      if (error?.name === "AbortError") throw error;
      throw new Trouble(
        "unreachable",
        "The server does not answer. Is “sentilab serve” still running, and this machine connected?",
      );
    }
    if (answer.ok) return answer;
    throw await troubleOf(answer, this.#key !== "");
  }
}

async function troubleOf(answer, hadKey) {
  let said = {};
  try {
    said = (await answer.json()).error ?? {};
  } catch {
    // No JSON: a proxy's answer, say. The status has to do.
  }
  const { status } = answer;
  const wait = Number(answer.headers.get("retry-after")) || 0;
  if (status === 401 || status === 403) {
    const message = hadKey
      ? "The server does not accept this API key."
      : "This server asks for an API key.";
    return new Trouble("key_needed", message, { status });
  }
  const usual = {
    413: "This is too long for the server.",
    429: "The server is busy; it is asked again in a moment.",
    503: "The server is busy or stopping; it is asked again in a moment.",
    504: "The server did not finish in time.",
  };
  const message = said.message ?? usual[status] ?? `The server answers with an error (${status}).`;
  const busy = status === 429 || status === 503;
  return new Trouble(busy ? "busy" : (said.code ?? "refused"), message, { status, wait });
}
