// What the keys do on the page; each tells whether it did something, so that the browser does not as well.

// The acts of `startKeys`; those of the page itself are given.
export function moves(page, { help, pause, whole }) {
  const done = (act) => () => {
    act();
    return true;
  };
  const onFocused = (act) => () => page.focus !== null && done(() => act(page.focus))();
  const { state, selection } = page;
  return {
    help,
    pause,
    whole: done(whole),
    view: (view) => done(() => state.set({ view }))(),
    filter: done(() => document.getElementById("filter").focus()),
    keep: done(() => selection.keep()),
    exclude: done(() => selection.exclude()),
    undo: done(() => selection.undo()),
    along: (step) => along(page, step),
    open: onFocused((number) => page.open(number)),
    pick: onFocused((number) => selection.toggle(number)),
    back: done(() => back(page)),
  };
}

// Along the front, the cheapest first; on a trial to the one before or after it.
function along(page, step) {
  if (!page.study || !["front", "parallel", "trial", "table"].includes(page.state.get("view"))) return false;
  const { front, trials } = page.study;
  const shown = new Set(page.rows());
  const order = front.filter((number) => shown.has(trials.row(number)));
  if (!order.length) return false;
  const at = order.indexOf(page.focus);
  // From nowhere a step to the right begins at the first, one to the left at the last.
  const begin = at >= 0 ? at : step > 0 ? -1 : order.length;
  const next = Math.min(Math.max(begin + step, 0), order.length - 1);
  page.hover(order[next]);
  if (page.state.get("view") === "trial") page.open(order[next]);
  page.announce(told(page, order[next], next, order.length));
  return true;
}

function told({ study }, number, place, length) {
  const row = study.trials.row(number);
  const figures = study.objectives.map((each) =>
    `${each.short} ${Number(study.trials.value(row, each.name)?.toPrecision(4))} ${each.unit}`.trim(),
  );
  return `${study.trials.label(row)}, ${place + 1} of ${length} on the front: ${figures.join(", ")}`;
}

// Esc: from a trial to the front, else the trial that is pointed at is let go, else the selection.
function back(page) {
  if (page.state.get("view") === "trial") page.state.set({ view: "front" });
  else if (page.focus !== null) page.hover(null);
  else page.selection.select([]);
}
