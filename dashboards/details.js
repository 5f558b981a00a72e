// Documents of single trials, as they were read; those of trials that have ended do not change while the page is open.

const MOST = 200;

export class Details {
  #source;
  #held = new Map();

  constructor(source) {
    this.#source = source;
  }

  // A promise of the document of a trial, by its id; `isFresh`: read anew.
  get(id, isFresh = false) {
    if (isFresh || !this.#held.has(id)) {
      if (this.#held.size > MOST) this.#held.clear();
      const asked = this.#source.trial(id);
      this.#held.set(id, asked);
      asked.catch(() => this.#held.delete(id));
    }
    return this.#held.get(id);
  }

  forget() {
    this.#held.clear();
  }
}
