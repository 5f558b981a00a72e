// The traces of the front's chart: plain data for Plotly, computed from the study and what is switched on.

import { escaped } from "./charts.js";
import { keeps } from "./budget.js";
import { palette } from "./theme.js";

const SHAPES = ["circle", "square", "triangle-up"];
const [SMALL, LARGE] = [6, 16];
// A cloud of more is fainter.
const MANY = 300;

// A figure that every trial has: what is drawn across where there is only one figure.
export const NUMBER = {
  name: "number",
  title: "trial number",
  short: "trial",
  unit: "",
  maximise: false,
  is_measured: false,
};

// Groups of rows by what they are drawn as.
export function grouped(study, rows, { x, y, dominated, stopped }) {
  const { columns } = study.trials;
  const groups = { front: [], dominated: [], early: [], infeasible: [] };
  const drawn = study.drawn;
  for (const row of rows) {
    if (study.trials.value(row, x) === null || study.trials.value(row, y) === null) continue;
    const kind = columns.kind[row];
    if (drawn && kind !== "front" && !drawn.has(columns.number[row])) continue;
    if (kind === "infeasible") groups.infeasible.push(row);
    else if (kind === "front") groups.front.push(row);
    else if (kind === "dominated" && dominated) groups.dominated.push(row);
    else if (kind === "early" && stopped) groups.early.push(row);
  }
  // As everywhere: the cheapest first.
  const place = new Map(study.front.map((number, i) => [number, i]));
  groups.front.sort((a, b) => place.get(columns.number[a]) - place.get(columns.number[b]));
  return groups;
}

// Traces of the groups, the attained line and the baselines, and of each trace the row of every point in `customdata`.
export function frontTraces(study, groups, options) {
  const colours = palette();
  const styles = {
    early: { symbol: "circle-open", size: 6, color: colours.stopped },
    infeasible: { symbol: "x-open", size: 7, color: colours.stopped },
    dominated: {
      symbol: "circle",
      size: 6,
      color: colours.cloud,
      opacity: groups.dominated.length > MANY ? 0.4 : 0.75,
    },
    front: { symbol: "circle", size: 10, color: colours.front, line: { width: 1, color: colours.page } },
  };
  const traces = [...Object.keys(styles)].map((kind) => trace(study, kind, groups[kind], styles[kind], options));
  traces.push(attained(study, options, colours), references(study, groups, options, colours));
  if (options.measured && study.baselines && !options.isHidden) traces.push(measured(study, options, colours));
  if (options.published.length) traces.push(publishedTrace(options, colours));
  return traces;
}

function trace(study, kind, rows, marker, options) {
  const { x, y, size, budgets, selected, divide } = options;
  const numbers = rows.map((row) => study.trials.numbers[row]);
  const values = (name, by) => rows.map((row) => study.trials.value(row, name) / by);
  const chosen = selected === null ? null : numbers.flatMap((number, i) => (selected.has(number) ? [i] : []));
  const made = {
    type: "scatter",
    mode: "markers",
    name: kind,
    x: values(x, divide.x),
    y: values(y, divide.y),
    customdata: numbers,
    hoverinfo: "none",
    marker: { ...marker, ...(size && kind !== "early" ? sized(study, rows, size) : {}) },
    selectedpoints: chosen,
    selected: { marker: { opacity: 1, ...(kind === "front" ? {} : { color: palette().picked }) } },
    unselected: { marker: { opacity: 0.13 } },
  };
  if (budgets.length)
    made.marker.opacity = rows.map((row) => (keeps(study, row, budgets) ? (marker.opacity ?? 1) : 0.25));
  if (kind === "front" && options.intervals) {
    made.error_x = bars(study, rows, x, divide.x, marker.color);
    made.error_y = bars(study, rows, y, divide.y, marker.color);
  }
  return made;
}

// A third figure: the better, the larger; and one of three shapes, so that size is never alone.
function sized(study, rows, size) {
  const figure = study.figure(size);
  const values = rows.map((row) => study.trials.value(row, size));
  const known = values.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const goodness = values.map((value) => {
    if (value === null || !(high > low)) return 0.5;
    const share = (value - low) / (high - low);
    return figure.maximise ? share : 1 - share;
  });
  return {
    size: goodness.map((share) => SMALL + share * (LARGE - SMALL)),
    symbol: goodness.map((share) => SHAPES[share > 2 / 3 ? 0 : share > 1 / 3 ? 1 : 2]),
  };
}

function bars(study, rows, name, by, color) {
  const [low, high] = [study.trials.low[name], study.trials.high[name]];
  if (!low || !high) return { visible: false };
  const middle = rows.map((row) => study.trials.value(row, name));
  const length = (ends, sign) =>
    rows.map((row, i) => ((ends[row] ?? null) === null ? 0 : (sign * (ends[row] - middle[i])) / by));
  return {
    type: "data",
    symmetric: false,
    array: length(high, 1),
    arrayminus: length(low, -1),
    thickness: 1,
    width: 2.5,
    color,
  };
}

function attained(study, { x, y, divide }, colours) {
  const rows = (study.attainment(x, y) ?? [])
    .map((number) => study.trials.row(number))
    .filter((row) => row !== undefined);
  return {
    type: "scatter",
    mode: "lines",
    name: "attained",
    x: rows.map((row) => study.trials.value(row, x) / divide.x),
    y: rows.map((row) => study.trials.value(row, y) / divide.y),
    line: { shape: study.figure(x)?.maximise ? "vh" : "hv", color: colours.front, width: 1.5 },
    hoverinfo: "skip",
  };
}

// Published networks that were tried as candidates are named: their own marks stand inside.
function references(study, groups, { x, y, divide }, colours) {
  const { trials } = study;
  const rows = [...groups.front, ...groups.dominated].filter((row) => trials.columns.name[row]);
  return {
    type: "scatter",
    mode: "markers+text",
    name: "references",
    x: rows.map((row) => trials.value(row, x) / divide.x),
    y: rows.map((row) => trials.value(row, y) / divide.y),
    text: rows.map((row) => escaped(trials.columns.name[row])),
    textposition: "top center",
    textfont: { size: 10.5, color: colours.measured },
    marker: { symbol: "square-open", size: 15, color: colours.measured, line: { width: 1.5 } },
    hoverinfo: "skip",
    cliponaxis: false,
  };
}

function measured(study, { x, y, divide, isElsewhere }, colours) {
  const { trials } = study.baselines;
  const rows = trials.numbers
    .map((_number, row) => row)
    .filter(
      (row) =>
        ["front", "dominated"].includes(trials.columns.kind[row]) &&
        trials.value(row, x) !== null &&
        trials.value(row, y) !== null,
    );
  return {
    type: "scatter",
    mode: "markers+text",
    name: "measured",
    x: rows.map((row) => trials.value(row, x) / divide.x),
    y: rows.map((row) => trials.value(row, y) / divide.y),
    text: rows.map((row) => escaped(trials.columns.name[row] ?? trials.label(row))),
    textposition: "bottom center",
    textfont: { size: 10.5, color: colours.measured },
    marker: { symbol: isElsewhere ? "star-open" : "star", size: 11, color: colours.measured, line: { width: 1, color: colours.page } },
    customdata: rows,
    hoverinfo: "none",
    cliponaxis: false,
  };
}

function publishedTrace({ published }, colours) {
  return {
    type: "scatter",
    mode: "markers+text",
    name: "published",
    x: published.map((point) => point.x),
    y: published.map((point) => point.y),
    text: published.map((point) => escaped(point.name)),
    textposition: "top center",
    textfont: { size: 10, color: colours.published },
    marker: { symbol: "diamond-open", size: 10, color: colours.published, line: { width: 1.5 } },
    customdata: published.map((point) => point.text),
    hoverinfo: "none",
    cliponaxis: false,
  };
}
