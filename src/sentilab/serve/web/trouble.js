/** What went wrong, in words for the user; `code` says to the page what it may do about it. */
export class Trouble extends Error {
  constructor(code, message, { status = 0, wait = 0 } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.wait = wait; // seconds after which to ask again
  }

  /** Whether the rest of the work could not be done either. */
  get isGeneral() {
    return ["unreachable", "key_needed", "broken"].includes(this.code);
  }
}

export const isAbort = (error) => error?.name === "AbortError";
