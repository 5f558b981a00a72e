// Trials in columns, one entry a row: merged from answers of the server by number, read by all views.

const TEXTS = ["number", "trial", "id", "name", "reason", "kind", "rung", "images", "seconds", "infeasible"];
const WORDS = ["source", "status"];
const BY_FIGURE = ["values", "low", "high"];

export class Trials {
  // Rises with each change, so that what was derived from the columns can be kept until then.
  version = 0;
  columns = Object.fromEntries([...TEXTS, ...WORDS].map((name) => [name, []]));
  values = {};
  low = {};
  high = {};
  verdict = {};
  choices = {};
  #rows = new Map();

  get length() {
    return this.numbers.length;
  }

  get numbers() {
    return this.columns.number;
  }

  // The row of a trial's number, or undefined.
  row(number) {
    return this.#rows.get(number);
  }

  // Takes rows of an answer; gives the numbers that were not there before. Words and choices become values at once, so
  // that a later answer with longer lists changes nothing of what is held.
  merge(given, words, choices) {
    const added = [];
    const places = given.number.map((number) => {
      if (!this.#rows.has(number)) {
        this.#rows.set(number, this.length);
        this.columns.number.push(number);
        added.push(number);
      }
      return this.#rows.get(number);
    });
    for (const name of TEXTS.slice(1)) fill(this.columns[name], given[name], places);
    for (const name of WORDS)
      fill(
        this.columns[name],
        given[name].map((index) => words[name][index]),
        places,
      );
    for (const group of BY_FIGURE) this.#fillGroup(this[group], given[group], places, (_name, value) => value);
    this.#fillGroup(this.verdict, given.verdict, places, (_name, index) =>
      index === null ? null : words.verdict[index],
    );
    const lists = Object.fromEntries(choices.map((choice) => [choice.name, choice.values]));
    this.#fillGroup(this.choices, given.choices, places, (name, index) => (index === null ? null : lists[name][index]));
    this.version += 1;
    return added;
  }

  // Says which trials are on the front; a trial that another one has pushed off it is dominated.
  setFront(front) {
    const chosen = new Set(front);
    const kinds = this.columns.kind;
    for (let row = 0; row < this.length; row += 1) {
      if (chosen.has(this.numbers[row])) kinds[row] = "front";
      else if (kinds[row] === "front") kinds[row] = "dominated";
    }
    this.version += 1;
  }

  // The value of a figure, a choice or a text column in a row; null where it has none.
  value(row, name) {
    return (this.values[name] ?? this.choices[name] ?? this.columns[name])?.[row] ?? null;
  }

  // All that is known of a row, as a text.
  told(row) {
    const groups = [this.columns, this.values, this.low, this.high, this.verdict];
    return JSON.stringify(groups.map((group) => Object.values(group).map((column) => column[row])));
  }

  // What a person calls it.
  label(row) {
    const name = this.columns.name[row];
    return `#${this.numbers[row]}${name ? ` ${name}` : ""}`;
  }

  // Names that a filter may say, the figures first.
  columnNames() {
    return [...Object.keys(this.values), ...TEXTS, ...WORDS, ...Object.keys(this.choices)];
  }

  // Columns of a name, or of a name's end: `depth` of all stages, `latency_ms` of all runners.
  findColumns(name) {
    if (name === "verdict") return Object.values(this.verdict);
    const groups = [this.values, this.columns, this.choices];
    const exact = groups.find((group) => Object.hasOwn(group, name));
    if (exact) return [exact[name]];
    return groups.flatMap((group) =>
      Object.keys(group)
        .filter((other) => other.endsWith(`.${name}`) || other.startsWith(`${name}:`))
        .map((other) => group[other]),
    );
  }

  // What a word without an operator is looked for in.
  words(row) {
    const { name, id, source, status, kind } = this.columns;
    return `#${this.numbers[row]} ${name[row] ?? ""} ${id[row]} ${source[row]} ${status[row]} ${kind[row]}`.toLowerCase();
  }

  #fillGroup(group, given, places, read) {
    for (const [name, column] of Object.entries(given)) {
      group[name] ??= [];
      fill(
        group[name],
        column.map((value) => read(name, value)),
        places,
      );
    }
  }
}

function fill(column, values, places) {
  values.forEach((value, i) => {
    column[places[i]] = value;
  });
}
