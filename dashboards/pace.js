// Beside the progress: how fast it goes, which baselines it has passed, and where the time went.

import { card, h, pairs, table } from "./dom.js";
import { clock, figure, grouped, NONE } from "./format.js";

// How far the search is and how fast.
export function paceCard(study) {
  const { pace, info, counts } = study;
  const isRunning = info.status === "running" && study.life !== "gone";
  const kinds = ["front", "dominated", "infeasible", "early", "incomplete"].filter((kind) => counts[kind] > 0);
  return card(
    "Pace",
    pairs([
      ["status", { gone: "running, but its process has gone", silent: "running, but silent" }[study.life] ?? info.status],
      ["first results", `${grouped(pace.done)} of ${grouped(pace.budget)}`],
      ["running", isRunning ? grouped(pace.running) : null],
      ["failed", grouped(pace.failed)],
      ["throughput", isRunning ? (pace.per_hour === null ? NONE : `${figure(pace.per_hour, 3)} an hour`) : null],
      [isRunning ? "time so far" : "time", clock(pace.seconds)],
      ["expected end", isRunning ? (pace.seconds_left === null ? NONE : `in ${clock(pace.seconds_left)}`) : null],
      ["last heard of", info.status === "running" && study.idleSeconds > 60 ? `${clock(study.idleSeconds)} ago` : null],
      ["hypervolume", study.hypervolume === null ? NONE : figure(study.hypervolume, 5)],
      [
        "worst corner",
        Object.entries(study.hypervolumeReference)
          .map(([name, value]) => `${name} ${figure(value)}`)
          .join(", ") || null,
      ],
      ["by kind", kinds.map((kind) => `${grouped(counts[kind])} ${kind}`).join(", ")],
    ]),
  );
}

// When the search passed the baselines.
export function milestonesCard(study) {
  const milestones = study.baselines?.milestones ?? [];
  if (!milestones.length)
    return card(
      "Baselines passed",
      h(
        "p",
        { class: "note" },
        "No baselines were trained in this study; train them with: ",
        h("code", null, `bench baselines ${study.info.name}`),
      ),
    );
  const rows = milestones.map(({ name, hypervolume, reached }) => [
    name,
    figure(hypervolume),
    ...(reached
      ? [`#${reached.number}`, grouped(reached.tried), clock(reached.seconds), clock(reached.device_seconds)]
      : ["not yet", "", "", ""]),
  ]);
  return card(
    "Baselines passed",
    table(
      "When the search's hypervolume passed that of a baseline",
      ["baseline", "hypervolume", "by", "after trials", "after", "device time"],
      rows,
      [false, true, true, true, true, true],
    ),
  );
}

// Seconds of all trials by stage; null: not read yet.
export function stagesCard(seconds) {
  if (!seconds) return null;
  const total = Object.values(seconds).reduce((sum, value) => sum + value, 0) || 1;
  const rows = Object.entries(seconds)
    .sort((a, b) => b[1] - a[1])
    .map(([stage, value]) => [
      stage,
      clock(value),
      h(
        "span",
        { class: "share" },
        h("span", { style: { width: `${(100 * value) / total}%` } }),
        `${((100 * value) / total).toFixed(1)} %`,
      ),
    ]);
  return card(
    "Where the time went",
    table("Seconds of all trials by stage", ["stage", "time", "share"], rows, [false, true, false]),
  );
}
