// The best share of some trials.

const ORDER = ["front", "dominated", "infeasible", "early", "incomplete", "failed"];

// So many per cent of the rows: the whole front, then those of the top rung, then the rest, each by the first objective.
export function bestShare(study, rows, percent) {
  if (percent >= 100) return rows;
  const { trials } = study;
  const [judge] = study.objectives;
  const worth = (row) => (trials.value(row, judge.name) ?? -Infinity) * (judge.maximise ? 1 : -1);
  const sorted = [...rows].sort(
    (a, b) => ORDER.indexOf(trials.columns.kind[a]) - ORDER.indexOf(trials.columns.kind[b]) || worth(b) - worth(a),
  );
  const least = rows.filter((row) => trials.columns.kind[row] === "front").length;
  return sorted.slice(0, Math.max(1, least, Math.ceil((sorted.length * percent) / 100)));
}
