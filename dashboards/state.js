// What the page shows, and nothing of the data: kept in the address, so that a reload or a sent link shows the same.
//
// The address holds it behind `#`: a page opened from a file may change nothing else of its address.

import { fromRanges, toRanges } from "./ranges.js";

export const VIEWS = ["front", "table", "parallel", "progress", "trial", "compare", "runners", "export"];

const text = (fallback) => ({ fallback, read: (all) => all[0], write: (value) => (value === fallback ? [] : [value]) });
const flag = (fallback) => ({
  fallback,
  read: (all) => all[0] === "1",
  write: (value) => (value === fallback ? [] : [value ? "1" : "0"]),
});
const whole = (fallback) => ({
  fallback,
  read: (all) => (/^[0-9]{1,9}$/.test(all[0]) ? Number(all[0]) : fallback),
  write: (value) => (value === fallback ? [] : [String(value)]),
});
const numbers = () => ({
  fallback: null,
  read: (all) => fromRanges(all[0]),
  write: (value) => (value === null || toRanges(value).length > LONGEST ? [] : [toRanges(value)]),
});
// NAME~NUMBER~NUMBER...; a name may hold a colon (a latency on one of several runners).
const figures = (least) => ({
  fallback: [],
  read: (all) =>
    all
      .map((part) => part.split("~"))
      .filter(
        (part) =>
          part.length >= least && part.slice(1).every((value) => value !== "" && Number.isFinite(Number(value))),
      )
      .map(([name, ...values]) => [name, ...values.map(Number)]),
  write: (value) => value.map((part) => part.join("~")),
});
const names = () => ({ fallback: [], read: (all) => all, write: (value) => value });

// A selection that is longer than this in the address is not kept there: browsers and chats cut long links.
const LONGEST = 1500;

const FIELDS = {
  study: text(""),
  view: text("front"),
  x: text(""), // names of figures; empty: as the study says
  y: text(""),
  xlog: flag(false),
  ylog: flag(false),
  size: text(""), // a third figure by size and shape
  dominated: flag(true),
  stopped: flag(false),
  intervals: flag(true),
  measured: flag(true), // baselines of this study
  published: flag(false), // baselines of papers
  normalised: flag(false), // published ones on axes of their own
  budget: figures(2), // [figure, value]
  filter: text(""),
  selected: numbers(), // null: nothing is selected
  keep: numbers(), // null: all are kept
  drop: numbers(), // null: none is left out
  trial: whole(null), // the trial that the trial view tells of
  sort: text(""), // NAME or -NAME
  page: whole(1),
  range: figures(3), // [axis, low, high], several of one axis are alternatives
  log: names(), // axes of the parallel coordinates on a logarithmic scale
  constant: flag(false), // show axes that never vary
  top: whole(100), // percent of the trials, the best by rank
  over: text("trials"), // what progress is told over
  with: text(""), // the study to compare with
  cost: text(""), // the figure of that comparison
};

// One state with those who want to know of its changes.
export class State {
  #values = Object.fromEntries(Object.entries(FIELDS).map(([name, field]) => [name, field.fallback]));
  #listeners = [];

  constructor() {
    this.#read();
    addEventListener("popstate", () => this.#told(this.#read()));
  }

  get(name) {
    return this.#values[name];
  }

  // `listener(changed)` is called with the set of changed names.
  listen(listener) {
    this.#listeners.push(listener);
  }

  // Changes some values. Another view, study or trial is a step that Back returns from.
  set(values) {
    const changed = Object.keys(values).filter((name) => !same(this.#values[name], values[name]));
    if (!changed.length) return;
    Object.assign(this.#values, values);
    const isStep = changed.some((name) => name === "view" || name === "study" || name === "trial");
    history[isStep ? "pushState" : "replaceState"](null, "", this.address());
    this.#told(new Set(changed));
  }

  // Says in the address which study is shown, where it did not: nothing has changed.
  settle(study) {
    this.#values.study = study;
    history.replaceState(null, "", this.address());
  }

  // Forgets what belongs to one study.
  fresh(study) {
    const kept = new Set(["view", "over"]);
    const values = Object.entries(FIELDS)
      .filter(([name]) => !kept.has(name))
      .map(([name, field]) => [name, field.fallback]);
    this.set({ ...Object.fromEntries(values), study });
  }

  // The part of the address behind `#`, of this state or of it with other values.
  address(values = {}) {
    const found = new URLSearchParams();
    for (const [name, field] of Object.entries(FIELDS)) {
      for (const part of field.write(values[name] ?? this.#values[name])) found.append(name, part);
    }
    // Allowed behind `#` as they are, and easier to read.
    return `#${String(found).replaceAll("%7E", "~").replaceAll("%3A", ":")}`;
  }

  #read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const changed = new Set();
    for (const [name, field] of Object.entries(FIELDS)) {
      const value = given.has(name) ? field.read(given.getAll(name)) : field.fallback;
      if (!same(this.#values[name], value)) changed.add(name);
      this.#values[name] = value;
    }
    if (!VIEWS.includes(this.#values.view)) this.#values.view = "front";
    return changed;
  }

  #told(changed) {
    if (changed.size) for (const listener of this.#listeners) listener(changed);
  }
}

function same(a, b) {
  if (a instanceof Set && b instanceof Set) return a.size === b.size && [...a].every((value) => b.has(value));
  return (
    a === b ||
    (typeof a === "object" && typeof b === "object" && !(a instanceof Set) && JSON.stringify(a) === JSON.stringify(b))
  );
}
