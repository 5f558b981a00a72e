// Charts of a comparison, as plain data for Plotly.

import { axisTitle, drawChart, escaped } from "./charts.js";
import { figure, interval } from "./format.js";
import { palette } from "./theme.js";

// Both fronts with their lines, the ground shaded by who has the better value.
export async function drawFronts(element, found) {
  const colours = palette();
  const [y, x] = found.objectives;
  const marks = [
    ["circle", colours.front, "solid"],
    ["square-open", colours.measured, "dash"],
  ];
  const traces = found.fronts.flatMap((front, i) => {
    const [symbol, color, dash] = marks[i];
    const place = new Map(front.number.map((number, at) => [number, at]));
    const line = (front.attainment.find((each) => each.x === x.name && each.y === y.name)?.numbers ?? [])
      .map((number) => place.get(number))
      .filter((at) => at !== undefined);
    const bars = front.low[x.name]
      ? {
          type: "data",
          symmetric: false,
          thickness: 1,
          width: 2,
          color,
          array: front.values[x.name].map((value, at) => (front.high[x.name][at] ?? value) - value),
          arrayminus: front.values[x.name].map((value, at) => value - (front.low[x.name][at] ?? value)),
        }
      : undefined;
    const name = escaped([found.first, found.second][i].name);
    const text = front.number.map(
      (number, at) =>
        `${name} #${number}${front.name[at] ? ` ${escaped(front.name[at])}` : ""}: ${interval(front.values[x.name][at], front.low[x.name]?.[at], front.high[x.name]?.[at])}, ${figure(front.values[y.name][at])}`,
    );
    return [
      {
        type: "scatter",
        mode: "lines",
        x: line.map((at) => front.values[x.name][at]),
        y: line.map((at) => front.values[y.name][at]),
        line: { shape: x.maximise ? "vh" : "hv", color, dash, width: 1.5 },
        hoverinfo: "skip",
        showlegend: false,
      },
      {
        type: "scatter",
        mode: "markers",
        name,
        x: front.values[x.name],
        y: front.values[y.name],
        error_x: bars,
        marker: { symbol, color, size: 9 },
        text,
        hovertemplate: "%{text}<extra></extra>",
      },
    ];
  });
  const shade = { first: colours.front, second: colours.measured };
  const shapes = found.regions
    .slice(0, 1)
    .flatMap((region) => region.from.map((from, i) => [from, region.to[i], region.winner[i]]))
    .filter(([, , winner]) => winner in shade)
    .map(([from, to, winner]) => ({
      type: "rect",
      layer: "below",
      yref: "paper",
      x0: from,
      x1: to,
      y0: 0,
      y1: 1,
      line: { width: 0 },
      fillcolor: shade[winner],
      opacity: 0.07,
    }));
  await drawChart(element, traces, {
    width: element.clientWidth,
    height: element.clientHeight,
    xaxis: { title: axisTitle(x, titleOf(x)) },
    yaxis: { title: axisTitle(y, titleOf(y)) },
    showlegend: true,
    legend: { orientation: "h", y: 1.12 },
    shapes,
  });
}

// The same networks by two figures.
export async function drawRanks(element, found) {
  const colours = palette();
  const text = found.number.map(
    ([a, b], i) =>
      `#${a}${a === b ? "" : `, #${b}`} ${escaped(found.name[i] ?? "")}: ${figure(found.x[i])}, ${figure(found.y[i])}`,
  );
  const trace = {
    type: "scatter",
    mode: "markers",
    x: found.x,
    y: found.y,
    text,
    marker: { color: colours.front, size: 6, opacity: 0.7 },
    hovertemplate: "%{text}<extra></extra>",
  };
  const titles = found.against ? [found.figure, found.against] : ["first", "second"];
  await drawChart(element, [trace], {
    width: element.clientWidth,
    height: element.clientHeight,
    xaxis: { title: { text: escaped(titles[0]) } },
    yaxis: { title: { text: escaped(titles[1]) } },
  });
}

// Short: these charts are low.
function titleOf({ short, unit }) {
  return unit ? `${short} (${unit})` : short;
}
