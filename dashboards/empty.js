// States in which there is no front to draw: each says what is so and what to do.

import { h, put, show } from "./dom.js";
import { count, listed } from "./format.js";

// Fills `element` where the study has nothing for a chart; tells whether that is so.
export function emptyFront(element, page) {
  const { study } = page;
  const { trials, counts } = study;
  const drawable = trials.columns.kind.some((kind) => ["front", "dominated", "early"].includes(kind));
  if (!trials.length || (drawable && page.rows().length === 0)) return emptyRows(element, page, []);
  show(element, !drawable);
  if (drawable) return false;
  if (counts.status.failed === counts.tried) {
    put(
      element,
      message(
        "All trials failed",
        `${count(counts.tried, "trial")}, none with a result. What they failed of:`,
        failures(trials, page),
      ),
    );
  } else {
    put(
      element,
      message(
        "Nothing on the front yet",
        `${count(counts.tried, "trial")} tried; none has all its figures yet. ${waiting(study)}`,
        counts.status.failed > 0 && failures(trials, page),
      ),
    );
  }
  return true;
}

// What stands in the place of every view that needs a study, while there is none.
export function withoutStudy({ hasAnswered, studies, problem }) {
  if (!hasAnswered) return message("No answer yet", problem ?? "Reading the studies ...", null);
  if (studies.length) {
    const there = count(studies.length, "study", "studies");
    return message("No such study", `The address names a study that is not in this database, which has ${there}.`, null);
  }
  const command = h("p", null, h("code", null, "bench search --space smoke --budget 6"));
  return message("No studies yet", "Start one, and it appears here:", command);
}

// The same for views that show every trial there is, whatever it has.
export function emptyRows(element, page, rows) {
  const { trials, counts } = page.study;
  show(element, rows.length === 0);
  if (rows.length) return false;
  if (trials.length)
    put(
      element,
      message(
        "No trial passes the filter",
        `${count(counts.tried, "trial")} ${counts.tried === 1 ? "is" : "are"} hidden.`,
        page.clearButton(),
      ),
    );
  else put(element, message("No trials yet", waiting(page.study), null));
  return true;
}

// A heading, a sentence and what follows it.
export function message(heading, text, more) {
  return h("div", { class: "message" }, h("h3", null, heading), h("p", null, text), more);
}

function waiting({ info }) {
  return info.status === "running"
    ? "The search runs; the page follows it."
    : `The search is ${info.status}${info.reason ? ` (${info.reason})` : ""}; go on with: bench search --resume ${info.name}`;
}

// Reasons of failures, the most frequent first, each with a trial to open.
function failures(trials, page) {
  const found = new Map();
  for (let row = 0; row < trials.length; row += 1) {
    if (trials.columns.status[row] !== "failed") continue;
    const reason = trials.columns.reason[row] ?? "no reason told";
    found.set(reason, [...(found.get(reason) ?? []), trials.numbers[row]]);
  }
  const sorted = [...found].sort((a, b) => b[1].length - a[1].length).slice(0, 12);
  return h(
    "ul",
    { class: "reasons" },
    sorted.map(([reason, numbers]) =>
      h(
        "li",
        null,
        h("code", null, reason),
        ` ${listed(
          numbers.map((number) => `#${number}`),
          4,
        )} `,
        h("a", { href: page.state.address({ view: "trial", trial: numbers[0] }) }, "open the first"),
      ),
    ),
  );
}
