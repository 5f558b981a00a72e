// One study as the page holds it: the last whole answer with all changes since.

import { Trials } from "./trials.js";

// How far a trial has come: what rises is new on the front's chart.
const RANKS = { early: 1, infeasible: 2, dominated: 2, front: 2 };
// A search that says nothing for longer may have died.
const QUIET_S = 120;

export class Study {
  trials = new Trials();
  baselines = null;
  cursor = null;
  // Columns of the trials that raised the hypervolume.
  steps = null;
  #held = {};
  #words = null;
  #choices = null;
  #isLive;
  #takenAt = 0;

  // `isLive`: whether time goes on since the answer.
  constructor(answer, isLive) {
    this.#isLive = isLive;
    this.take(answer);
  }

  // Takes an answer about this study; gives the numbers of trials that are new on the chart, or have reached the top rung.
  take(answer) {
    const { rows, baselines, ...rest } = answer;
    const rank = (number) => RANKS[this.trials.columns.kind[this.trials.row(number)]] ?? 0;
    const before = (rows?.number ?? []).map((number) => [number, rank(number)]);
    if (answer.is_whole) {
      this.trials = new Trials();
      this.baselines = this.steps = null;
      this.#held = {};
    }
    Object.assign(this.#held, rest);
    this.#takenAt = performance.now();
    this.cursor = answer.cursor;
    this.#words = answer.words ?? this.#words;
    this.#choices = answer.choices ?? this.#choices;
    if (rows) this.trials.merge(rows, this.#words, this.#choices);
    if (answer.front) this.trials.setFront(answer.front);
    if (answer.progress) this.steps = stepsFrom(this.steps, answer.progress);
    if (baselines !== undefined) this.#takeBaselines(baselines);
    return before.filter(([number, held]) => rank(number) > held).map(([number]) => number);
  }

  get info() {
    return this.#held.study;
  }

  get objectives() {
    return this.#held.objectives;
  }

  // All figures that an axis may show, objectives first.
  get figures() {
    return [...this.#held.objectives, ...this.#held.figures];
  }

  // Of one figure the name, title, direction and unit.
  figure(name) {
    return this.figures.find((figure) => figure.name === name);
  }

  get choices() {
    return this.#choices;
  }

  get counts() {
    return this.#held.counts;
  }

  get front() {
    return this.#held.front;
  }

  // Whether the front was trained again with fresh seeds, and who fell out of it, in words; null in a file that was written before that was told.
  get standing() {
    return this.#held.standing ?? null;
  }

  // "final front" or "provisional front", or "front" where that is not told.
  get frontName() {
    return this.standing === null ? "front" : this.#held.is_final ? "final front" : "provisional front";
  }

  get numFallenOut() {
    return this.#held.fell_out?.length ?? 0;
  }

  // Whether the trial of this number fell out of the front when it was trained again.
  hasFallenOut(number) {
    return this.#held.fell_out?.includes(number) ?? false;
  }

  get hypervolume() {
    return this.#held.hypervolume ?? null;
  }

  get hypervolumeReference() {
    return this.#held.hypervolume_reference ?? {};
  }

  get pace() {
    return this.#held.pace;
  }

  get thinning() {
    return this.#held.thinning ?? null;
  }

  // Seconds since anything was heard of the search: nothing new is no answer, so the time since the last one counts.
  get idleSeconds() {
    const { idle_seconds: told } = this.#held;
    return told === null || !this.#isLive ? told : told + (performance.now() - this.#takenAt) / 1000;
  }

  // The study's status, but "gone" where it is said to run and no process does, and "silent" where that cannot be told
  // and nothing was heard for long.
  get life() {
    const { status, is_driven: isDriven } = this.info;
    if (status !== "running" || isDriven) return status;
    if (isDriven === false) return "gone";
    return this.#isLive && this.idleSeconds > QUIET_S ? "silent" : status;
  }

  // Whether all trials of the database are held; else the others are thinned.
  get isWhole() {
    return this.trials.length >= this.counts.tried;
  }

  // Counts by kind of all trials that pass a filter, as the server counted them; null: it was not asked, or refused.
  filtered(text) {
    return this.#held.filtered?.text === text ? this.#held.filtered.counts : null;
  }

  // Why the server counts nothing by this filter; null: it does, or was not asked.
  refused(text) {
    return this.#held.filtered?.text === text ? this.#held.filtered.error : null;
  }

  // Rows of `trials` that are drawn as points; null: all.
  get drawn() {
    return this.#held.drawn ? new Set(this.#held.drawn) : null;
  }

  // Numbers of the step line over two figures, or null where nobody computed one.
  attainment(x, y) {
    return this.#held.attainment?.find((line) => line.x === x && line.y === y)?.numbers ?? null;
  }

  #takeBaselines(given) {
    if (given === null) {
      this.baselines = null;
      return;
    }
    const trials = this.baselines?.trials ?? new Trials();
    if (given.rows?.number) trials.merge(given.rows, this.#words, this.#choices);
    if (given.front) trials.setFront(given.front);
    this.baselines = { ...this.baselines, ...given, trials };
  }
}

// Steps of the hypervolume, those from index `from` on replaced.
function stepsFrom(held, given) {
  const { from, ...columns } = given;
  return Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [name, [...(held?.[name] ?? []).slice(0, from), ...values]]),
  );
}
