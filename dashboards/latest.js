// Documents that follow what changes: one question at a time, and what was asked of another subject is dropped.

export class Latest {
  #again;
  #busy = null;
  #wanted = null;
  #asked = null;

  // `again()` is called where an answer has come and something newer is wanted by then.
  constructor(again) {
    this.#again = again;
  }

  // Asks about a subject as it is now (`key`), unless that was done. `ask()` gives a promise of the document;
  // `take(document, error)` gets it, or why there is none. Gives a promise of its end.
  want({ subject, key }, ask, take) {
    this.#wanted = key;
    if (this.#asked !== key && this.#busy?.subject !== subject) {
      this.#asked = key;
      const busy = { subject, end: null };
      this.#busy = busy;
      busy.end = this.#run(busy, key, ask, take);
    }
    return this.#busy?.end ?? Promise.resolve();
  }

  // Asks anew the next time.
  forget() {
    this.#asked = null;
  }

  async #run(busy, key, ask, take) {
    let [found, problem] = [null, null];
    try {
      found = await ask();
    } catch (error) {
      problem = error;
    }
    if (this.#busy !== busy) return;
    this.#busy = null;
    if (problem) this.#asked = null;
    await take(found, problem);
    if (this.#wanted !== key) this.#again();
  }
}
