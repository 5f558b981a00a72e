// A scatter on a plain canvas: what stands before plotly.js is loaded, and the small panels of all pairs of figures.

import { palette } from "./theme.js";

const EDGE = 5;

// Draws points that are given as {x, y, kind}, kind `front`, `cloud` or `picked`; later ones cover earlier ones.
export function drawSketch(canvas, points, { isBetterRight, isBetterUp, size = 2.5 }) {
  const context = sharp(canvas);
  const colours = palette();
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [across, up] = [
    scale(
      points.map((point) => point.x),
      EDGE,
      width - EDGE,
    ),
    scale(
      points.map((point) => point.y),
      height - EDGE,
      EDGE,
    ),
  ];
  context.strokeStyle = colours.line;
  context.strokeRect(0.5, 0.5, width - 1, height - 1);
  for (const kind of ["cloud", "front", "picked"]) {
    context.fillStyle = colours[kind];
    context.globalAlpha = kind === "cloud" ? 0.35 : 1;
    context.beginPath();
    for (const point of points) {
      if (point.kind !== kind) continue;
      const [x, y] = [across(point.x), up(point.y)];
      context.moveTo(x + size, y);
      context.arc(x, y, kind === "cloud" ? size * 0.75 : size, 0, 7);
    }
    context.fill();
  }
  context.globalAlpha = 1;
  corner(context, { x: isBetterRight ? width - 4 : 4, y: isBetterUp ? 4 : height - 4, colour: colours.good });
}

// A canvas with as many pixels as the screen has for it, ready to be drawn on in CSS pixels.
export function sharp(canvas) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

// From values to pixels; what never varies stands in the middle.
function scale(values, low, high) {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) [least, most] = [Math.min(least, value), Math.max(most, value)];
  return most > least ? (value) => low + ((high - low) * (value - least)) / (most - least) : () => (low + high) / 2;
}

// A dot in the corner that is better.
function corner(context, { x, y, colour }) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, 3, 0, 7);
  context.fill();
}
