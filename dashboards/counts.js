// How many trials of each kind are shown: of the database, whatever part of it the page holds.

// Counts by kind, and `tried` for all of them, of what filter, Keep and Exclude leave; null while that is not known.
export function shownCounts(study, selection, state) {
  const { columns } = study.trials;
  const rows = selection.rows(study.trials);
  // What was kept by hand is held.
  if (study.isWhole || state.get("keep") !== null) return counted(rows, columns.kind);
  const filter = state.get("filter");
  const wanted = filter && selection.error === null;
  const all = wanted ? study.filtered(filter) : study.counts;
  if (!all) return null;
  const without = counted(selection.dropped, columns.kind);
  return Object.fromEntries(Object.keys(without).map((kind) => [kind, all[kind] - without[kind]]));
}

// "3,000 of 17,012" where fewer are drawn than there are.
export function drawnOf(drawn, all, spell) {
  return all !== null && all !== undefined && drawn < all ? `${spell(drawn)} of ${spell(all)}` : spell(drawn);
}

const KINDS = ["front", "dominated", "infeasible", "early", "incomplete", "failed"];

function counted(rows, kinds) {
  const found = { tried: rows.length, ...Object.fromEntries(KINDS.map((kind) => [kind, 0])) };
  for (const row of rows) found[kinds[row]] += 1;
  return found;
}
