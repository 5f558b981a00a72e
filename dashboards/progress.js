// Progress: the hypervolume over trials, wall-clock and device time, other strategies, baselines passed, and the pace.

import { drawChart, escaped } from "./charts.js";
import { button, h, put, putKept, show } from "./dom.js";
import { message } from "./empty.js";
import { count } from "./format.js";
import { Latest } from "./latest.js";
import { milestonesCard, paceCard, stagesCard } from "./pace.js";
import { palette } from "./theme.js";

const OVER = {
  trials: { text: "trials", column: "tried", title: "architectures with a first result" },
  clock: { text: "wall-clock", column: "seconds", title: "time since the start" },
  device: { text: "device time", column: "device_seconds", title: "time spent training and timing" },
};
// Share of the axis that a row of text takes.
const NEAR = 0.1;
const DASHES = ["solid", "dash", "dot", "dashdot"];

export class ProgressView {
  #page;
  #tools = h("div", { class: "tools controls", role: "group", "aria-label": "Progress over" });
  #chart = h("div", { class: "chart low", "aria-hidden": "true" });
  #empty = h("div", { class: "empty" });
  #facts = h("div", { class: "cards" });
  // What was read of studies, by id.
  #told = new Map();
  #latest;

  constructor(root, page) {
    this.#page = page;
    this.#latest = new Latest(() => page.redraw("progress"));
    root.append(this.#tools, this.#empty, this.#chart, this.#facts);
    new ResizeObserver(
      () =>
        this.#chart.clientWidth &&
        this.#chart._fullLayout &&
        window.Plotly.relayout(this.#chart, { width: this.#chart.clientWidth, height: this.#chart.clientHeight }),
    ).observe(this.#chart);
  }

  get chart() {
    return this.#chart;
  }

  draw() {
    const { study, state } = this.#page;
    const over = OVER[state.get("over")] ?? OVER.trials;
    const steps = study.steps ?? { tried: [] };
    const hasLine = steps.tried.length > 0 && steps.hypervolume.some((value) => value !== null);
    putKept(
      this.#tools,
      over.column,
      Object.entries(OVER).map(([name, each]) =>
        button(each.text, () => state.set({ over: name }), { "aria-pressed": String(each === over) }),
      ),
    );
    show(this.#chart, hasLine);
    show(this.#empty, !hasLine);
    put(
      this.#empty,
      !hasLine &&
        message(
          "No hypervolume yet",
          steps.tried.length
            ? "Its worst corner is stated after the first measurements."
            : "It begins with the first trial that reaches the top rung.",
          null,
        ),
    );
    const told = this.#told.get(study.info.id) ?? {};
    put(this.#facts, paceCard(study), milestonesCard(study), stagesCard(told.stage_seconds ?? null));
    this.#load();
    const drawn = hasLine ? this.#drawChart(over, steps) : Promise.resolve();
    return drawn.then(
      () => this.#page.whenDrawn("progress"),
      (error) => this.#page.fail(error),
    );
  }

  async #drawChart(over, steps) {
    const { study } = this.#page;
    const colours = palette();
    const scale = over.column === "tried" ? { by: 1, unit: "" } : timeScale(Math.max(...steps[over.column], 1));
    const end = { tried: study.counts.tried, seconds: study.pace?.seconds, device_seconds: null }[over.column];
    const x = steps[over.column].map((value) => value / scale.by);
    const y = [...steps.hypervolume];
    if (end && end / scale.by > x.at(-1)) {
      x.push(end / scale.by);
      y.push(y.at(-1));
    }
    const own = {
      type: "scatter",
      mode: "lines+markers",
      name: "this study",
      x,
      y,
      line: { shape: "hv", color: colours.front, width: 2 },
      marker: { size: 4 },
      hovertemplate: "%{x:.4g}: %{y:.5g}<extra></extra>",
    };
    const strategies = over.column === "tried" ? this.#strategies(colours) : [];
    const milestones = (study.baselines?.milestones ?? []).filter((each) => each.hypervolume > 0);
    await drawChart(this.#chart, [...strategies, own], {
      height: this.#chart.clientHeight,
      width: this.#chart.clientWidth,
      xaxis: { title: { text: `${over.title}${scale.unit ? ` (${scale.unit})` : ""}` }, rangemode: "tozero" },
      yaxis: { title: { text: "hypervolume" }, rangemode: "tozero" },
      showlegend: strategies.length > 0,
      legend: { orientation: "h", y: 1.12 },
      uirevision: `${study.info.id},${over.column}`,
      shapes: milestones.map((each) => ({
        type: "line",
        xref: "paper",
        x0: 0,
        x1: 1,
        y0: each.hypervolume,
        y1: each.hypervolume,
        line: { dash: "dot", width: 1, color: colours.measured },
      })),
      annotations: labels(milestones, Math.max(...y, 0)).map((each) => ({
        xref: "paper",
        x: 1,
        xanchor: "right",
        y: each.hypervolume,
        yanchor: "bottom",
        text: escaped(each.names.join(", ")),
        showarrow: false,
        font: { size: 10, color: colours.measured },
      })),
    });
  }

  // Of each strategy the median over its studies and a band between the quartiles.
  #strategies(colours) {
    const found = this.#told.get(this.#page.study.info.id)?.strategies ?? [];
    if (found.length < 2 && (found[0]?.studies.length ?? 0) < 2) return [];
    return found.flatMap(({ strategy, studies, tried, median, low, high }, i) => {
      const colour = colours[`op${(i % 8) + 1}`];
      const band = {
        type: "scatter",
        mode: "lines",
        hoverinfo: "skip",
        line: { width: 0, shape: "hv" },
        showlegend: false,
        legendgroup: strategy,
      };
      return [
        { ...band, x: tried, y: low },
        {
          ...band,
          x: tried,
          y: high,
          fill: "tonexty",
          fillcolor: colour.replace("rgb(", "rgba(").replace(")", ", 0.16)"),
        },
        {
          type: "scatter",
          mode: "lines",
          name: `${escaped(strategy)}, median of ${count(studies.length, "seed")}`,
          legendgroup: strategy,
          x: tried,
          y: median,
          line: { color: colour, width: 1.5, dash: DASHES[i % DASHES.length], shape: "hv" },
          hoverinfo: "skip",
        },
      ];
    });
  }

  // Strategies and stages are no part of what is polled: they are read anew when trials have come to an end, and what
  // was read before stays until then.
  #load() {
    const { study, source } = this.#page;
    const { id } = study.info;
    const key = JSON.stringify([id, study.pace?.done, study.counts, study.hypervolume]);
    this.#latest.want(
      { subject: id, key },
      () => Promise.all([source.strategies(id), source.study(id)]),
      (found, problem) => {
        if (problem) {
          if (this.#page.study === study) this.#page.fail(problem);
          return;
        }
        const [strategies, { stage_seconds }] = found;
        this.#told.set(id, { ...strategies, stage_seconds });
        this.#page.redraw("progress");
      },
    );
  }
}

function timeScale(seconds) {
  if (seconds < 300) return { by: 1, unit: "s" };
  return seconds < 18000 ? { by: 60, unit: "min" } : { by: 3600, unit: "h" };
}

// Names of the lines, the highest first; lines too near to each other for two rows of text share one.
function labels(milestones, top) {
  const found = [];
  for (const { name, hypervolume } of [...milestones].sort((a, b) => b.hypervolume - a.hypervolume)) {
    const last = found.at(-1);
    const room = NEAR * Math.max(top, found[0]?.hypervolume ?? 0);
    if (last && last.hypervolume - hypervolume < room) last.names.push(name);
    else found.push({ names: [name], hypervolume });
  }
  return found.slice(0, 8);
}
