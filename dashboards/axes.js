// Axes of the parallel coordinates: where a value stands on its axis, and what a place on it means.

import { figure } from "./format.js";

// Axes of a study over rows: choices on the left, figures on the right, the objectives last.
export function makeAxes(study, rows, { logs, hasConstant }) {
  const { trials } = study;
  const objectives = new Set(study.objectives.map((objective) => objective.name));
  const others = study.figures.filter((each) => !objectives.has(each.name));
  const choices = study.choices.map((choice) => choiceAxis(trials, rows, choice));
  const figures = [...others, ...study.objectives].map((each) =>
    figureAxis(trials, rows, each, logs.includes(each.name)),
  );
  return [...choices, ...figures].filter((axis) => axis.num > 1 || (hasConstant && axis.num > 0));
}

// Where axes stand, from the left, and where the last one's room ends: each has what its ticks need, and all share what
// is left of the width.
export function placesOf(axes, left, width) {
  const rooms = axes.map(roomFor);
  const spare = Math.max(0, width - left - rooms.reduce((sum, room) => sum + room, 0)) / rooms.length;
  const places = [left];
  for (const room of rooms) places.push(places.at(-1) + room + spare);
  return places;
}

// Whether a value lies in one of the ranges of its axis; an axis without ranges takes all.
export function isInside(axis, row, ranges) {
  if (!ranges.length) return true;
  const number = axis.number(row);
  return number !== null && ranges.some(([low, high]) => number >= low && number <= high);
}

// Values of a choice stand evenly apart; between two numbers a place means what lies between them.
function choiceAxis(trials, rows, { name, values }) {
  const column = trials.choices[name] ?? [];
  const seen = new Set();
  for (const row of rows) if ((column[row] ?? null) !== null) seen.add(column[row]);
  const present = values.filter((value) => seen.has(value));
  const isNumeric = present.every((value) => typeof value === "number");
  const index = new Map(present.map((value, i) => [value, i]));
  const numbers = present.map((value, i) => (isNumeric ? value : i));
  const last = Math.max(present.length - 1, 1);
  const place = (i) => (present.length === 1 ? 0.5 : i / last);
  return {
    name,
    title: name,
    num: present.length,
    isFigure: false,
    number: (row) => ((column[row] ?? null) === null ? null : numbers[index.get(column[row])]),
    place: (row) => ((column[row] ?? null) === null ? null : place(index.get(column[row]))),
    placeOf: (number) => place(between(numbers, number)),
    at: (share) => {
      const [whole, rest] = [Math.floor(share * last), (share * last) % 1];
      const [low, high] = [numbers[Math.min(whole, last)], numbers[Math.min(whole + 1, numbers.length - 1)]];
      return (low ?? 0) + rest * ((high ?? low ?? 0) - (low ?? 0));
    },
    ticks: present.map((value, i) => [place(i), String(value)]),
  };
}

// The better end of a figure is up.
function figureAxis(trials, rows, told, wantsLog) {
  const column = trials.values[told.name] ?? [];
  let [low, high] = [Infinity, -Infinity];
  const seen = new Set();
  for (const row of rows) {
    const value = column[row] ?? null;
    if (value === null) continue;
    [low, high] = [Math.min(low, value), Math.max(high, value)];
    if (seen.size < 2) seen.add(value);
  }
  const isLog = wantsLog && low > 0;
  const scale = isLog ? Math.log : (value) => value;
  const back = isLog ? Math.exp : (value) => value;
  const [begin, width] = [scale(low), scale(high) - scale(low)];
  const placeOf = (value) => {
    const share = width > 0 ? (scale(value) - begin) / width : 0.5;
    return told.maximise ? share : 1 - share;
  };
  const at = (share) => back(begin + (told.maximise ? share : 1 - share) * width);
  return {
    name: told.name,
    title: `${told.short}${told.unit ? ` (${told.unit})` : ""}`,
    num: seen.size,
    isFigure: true,
    isLog,
    canLog: low > 0,
    number: (row) => column[row] ?? null,
    place: (row) => ((column[row] ?? null) === null ? null : placeOf(column[row])),
    placeOf: (number) => Math.min(Math.max(placeOf(number), -0.02), 1.02),
    at,
    ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => [share, figure(at(share), 3)]),
  };
}

// The place of a number among ascending ones, as an index with a fraction.
function between(numbers, number) {
  if (number <= numbers[0]) return number < numbers[0] ? -0.02 : 0;
  const next = numbers.findIndex((other) => other >= number);
  if (next < 0) return numbers.length - 1 + 0.02;
  return next - (numbers[next] - number) / (numbers[next] - numbers[next - 1]);
}

// Room that an axis needs at least, in pixels: its ticks stand to the right of it.
function roomFor(axis) {
  if (axis.isFigure) return 52;
  return Math.min(46, Math.max(17, 9 + 7 * Math.max(...axis.ticks.map(([, text]) => text.length))));
}
