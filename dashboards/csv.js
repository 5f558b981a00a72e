// Trials as CSV, as a spreadsheet takes it in without running any of it.

// What a spreadsheet takes a cell for a formula by; an apostrophe before it makes it a text.
const FORMULA = /^[=+\-@\t\r]/;

// The rows of a study as a blob; `note` stands before them as a comment, null: nothing has to be said.
export function csv(study, rows, note) {
  const { trials } = study;
  const names = [
    "number",
    "kind",
    "name",
    "status",
    "source",
    "rung",
    "images",
    ...study.figures.map((each) => each.name),
    ...study.choices.map((each) => each.name),
    "infeasible",
    "reason",
  ];
  const lines = rows.map((row) => names.map((name) => cell(trials.value(row, name))).join(","));
  const comment = note === null ? [] : [`# ${note.replace(/\s+/g, " ")}`];
  return new Blob([[...comment, names.map(cell).join(","), ...lines].join("\n"), "\n"], { type: "text/csv" });
}

function cell(value) {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
