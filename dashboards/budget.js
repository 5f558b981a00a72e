// Budgets such as "latency at most 12 ms": which trials of the front keep them, and which of these is best.

import { count, figure } from "./format.js";

// The budget of a figure in the state's list, or null.
export function budgetOf(budgets, name) {
  return budgets.find(([other]) => other === name)?.[1] ?? null;
}

// The list with one budget set, or taken away by null.
export function withBudget(budgets, name, value) {
  const others = budgets.filter(([other]) => other !== name);
  return value === null ? others : [...others, [name, value]];
}

// Whether a row keeps all budgets; a figure that is not known keeps none.
export function keeps(study, row, budgets) {
  return budgets.every(([name, limit]) => {
    const value = study.trials.value(row, name);
    if (value === null) return false;
    return study.figure(name)?.maximise ? value >= limit : value <= limit;
  });
}

// The rows of the front within the budgets, and the best of them by the first objective that has no budget.
export function underBudgets(study, budgets) {
  const rows = study.front
    .map((number) => study.trials.row(number))
    .filter((row) => row !== undefined && keeps(study, row, budgets));
  const judge = study.objectives.find((objective) => budgetOf(budgets, objective.name) === null);
  if (!judge || !rows.length) return { rows, best: null, judge: judge ?? null };
  const better = (a, b) => (judge.maximise ? b > a : b < a);
  const best = rows.reduce((found, row) =>
    better(study.trials.value(found, judge.name), study.trials.value(row, judge.name)) ? row : found,
  );
  return { rows, best, judge };
}

// The same in one sentence; empty without budgets.
export function budgetSentence(study, budgets) {
  if (!budgets.length) return "";
  const limits = budgets.map(([name, limit]) => {
    const told = study.figure(name);
    return `${told?.short ?? name} ${told?.maximise ? "≥" : "≤"} ${figure(limit)}${told?.unit ? ` ${told.unit}` : ""}`;
  });
  const { rows, best, judge } = underBudgets(study, budgets);
  const within = `${limits.join(" and ")}: ${count(rows.length, "trial")} of ${study.front.length} on the front`;
  if (best === null) return rows.length ? within : `${within}; raise the budget`;
  return `${within}; best ${judge.short} ${figure(study.trials.value(best, judge.name))}, ${study.trials.label(best)}`;
}
