// What the parallel coordinates paint: lines from the faintest to the front, and axes with their ranges.

import { palette } from "./theme.js";

// So many lines share a path: the more, the quicker, and the less is seen of how dense they are.
const LINES_A_PATH = 60;

// Draws the trials of `rows`. `picked`: numbers that are selected, the others faint; null: all are strong.
export function drawLines(context, axes, frame, { trials, rows, picked }) {
  const colours = palette();
  const kinds = trials.columns.kind;
  const groups = { off: [], cloud: [], front: [] };
  for (const row of rows) {
    const isPicked = picked === null || picked.has(trials.numbers[row]);
    groups[!isPicked ? "off" : kinds[row] === "front" ? "front" : "cloud"].push(row);
  }
  context.lineJoin = "round";
  // The more lines, the fainter each: what is dense stays darker than what is not.
  const dense = 0.6 * Math.min(1, (200 / (groups.cloud.length + 1)) ** 0.4);
  const stroke = (chosen, colour, width, alpha) =>
    paths(context, axes, frame, chosen, { strokeStyle: colour, lineWidth: width, globalAlpha: alpha });
  stroke(groups.off, colours.faint, 0.8, 0.08);
  stroke(groups.cloud, picked === null ? colours.cloud : colours.picked, 1, Math.max(dense, 0.1));
  stroke(groups.front, colours.front, 1.8, 0.95);
}

// Draws the line of one row over the others.
export function drawFocused(context, axes, frame, row) {
  const style = { lineJoin: "round", strokeStyle: palette().ink, lineWidth: 2.6, globalAlpha: 1 };
  paths(context, axes, frame, [row], style);
}

// Draws an axis with its ticks and the ranges on it.
export function drawAxis(context, axis, ranges, { left, room, y }) {
  const colours = palette();
  Object.assign(context, {
    strokeStyle: colours.quiet,
    lineWidth: 1,
    font: "11px system-ui, sans-serif",
    textAlign: "left",
  });
  context.beginPath();
  context.moveTo(left, y(0));
  context.lineTo(left, y(1));
  context.stroke();
  Object.assign(context, { fillStyle: colours.picked, globalAlpha: 0.3 });
  for (const [low, high] of ranges) {
    const [from, to] = [y(axis.placeOf(low)), y(axis.placeOf(high))];
    context.fillRect(left - 6, Math.min(from, to) - 3, 12, Math.abs(from - to) + 6);
  }
  context.globalAlpha = 1;
  const each = Math.ceil(axis.ticks.length / 12);
  for (const [share, text] of axis.ticks.filter((_tick, i) => i % each === 0)) {
    Object.assign(context, { strokeStyle: colours.page, fillStyle: colours.ink, lineWidth: 3 });
    const fitting = fitted(context, text, room);
    context.strokeText(fitting, left + 4, y(share) + 4);
    context.fillText(fitting, left + 4, y(share) + 4);
  }
}

// A text that ends before the next axis.
function fitted(context, text, room) {
  let fitting = text;
  while (fitting.length > 2 && context.measureText(fitting).width > room) fitting = `${fitting.slice(0, -2)}…`;
  return fitting;
}

function paths(context, axes, frame, rows, style) {
  const across = axes.map((_axis, place) => frame.x(place));
  Object.assign(context, style);
  for (let begin = 0; begin < rows.length; begin += LINES_A_PATH) {
    context.beginPath();
    for (const row of rows.slice(begin, begin + LINES_A_PATH)) {
      axes.forEach((axis, place) => {
        const up = frame.y(axis.place(row));
        if (place === 0) context.moveTo(across[0], up);
        else context.lineTo(across[place], up);
      });
    }
    context.stroke();
  }
  context.globalAlpha = 1;
}
