// One selection of trials, shared by all views, and which trials are shown at all: filter, Keep and Exclude.

import { parseFilter } from "./filter.js";

export class Selection {
  #state;
  #undone = [];
  #shown = null;
  #error = null;

  constructor(state) {
    this.#state = state;
  }

  // Rows of trials that filter, Keep and Exclude leave, in its order. Kept until something of it changes.
  rows(trials) {
    const [text, keep, drop] = ["filter", "keep", "drop"].map((name) => this.#state.get(name));
    const last = this.#shown;
    if (
      last &&
      last.trials === trials &&
      last.version === trials.version &&
      last.text === text &&
      last.keep === keep &&
      last.drop === drop
    )
      return last.rows;
    const { test, error } = parseFilter(text, trials);
    this.#error = error;
    const [rows, dropped] = [[], []];
    for (let row = 0; row < trials.length; row += 1) {
      const number = trials.numbers[row];
      if ((keep === null || keep.has(number)) && test(row)) (drop?.has(number) ? dropped : rows).push(row);
    }
    this.#shown = { trials, version: trials.version, text, keep, drop, rows, dropped };
    return rows;
  }

  // Rows that Exclude alone has left out, after `rows`.
  get dropped() {
    return this.#shown?.dropped ?? [];
  }

  // What is wrong with the filter's text, after `rows`.
  get error() {
    return this.#error;
  }

  get numbers() {
    return this.#state.get("selected");
  }

  has(number) {
    return this.numbers?.has(number) ?? false;
  }

  // Selects these trials, or none; `isAdded` adds them to those that are.
  select(numbers, isAdded = false) {
    const chosen = new Set([...(isAdded ? (this.numbers ?? []) : []), ...numbers]);
    this.#change({ selected: chosen.size ? chosen : null });
  }

  toggle(number) {
    const chosen = new Set(this.numbers ?? []);
    if (!chosen.delete(number)) chosen.add(number);
    this.#change({ selected: chosen.size ? chosen : null });
  }

  // Shows the selected trials only.
  keep() {
    if (this.numbers) this.#change({ keep: this.numbers, selected: null });
  }

  // Shows the selected trials no more.
  exclude() {
    if (this.numbers)
      this.#change({ drop: new Set([...(this.#state.get("drop") ?? []), ...this.numbers]), selected: null });
  }

  // Takes the last change of the selection back.
  undo() {
    const last = this.#undone.pop();
    if (last) this.#state.set(last);
    return last !== undefined;
  }

  // A study of its own begins with a selection of its own.
  forget() {
    this.#undone = [];
    this.#shown = null;
  }

  get canUndo() {
    return this.#undone.length > 0;
  }

  #change(values) {
    const names = ["selected", "keep", "drop"];
    this.#undone.push(Object.fromEntries(names.map((name) => [name, this.#state.get(name)])));
    if (this.#undone.length > 100) this.#undone.shift();
    this.#state.set(values);
  }
}
