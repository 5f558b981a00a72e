// The filter text: `latency_ms<12 depth>=3 status=failed mixer~att t8`. All terms have to hold.
//
// A name is a figure (`latency_ms`), a choice (`stage3.depth`), or the end of several (`depth`: of some stage). A word
// without an operator is looked for in a trial's number, name, id, source and status; `front` finds the front.

const TERM = /^([A-Za-z_][\w.:-]*?)(<=|>=|!=|<|>|=|~)(.+)$/;

const COMPARE = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

// Gives `{test, error}`: whether a row passes, and what is wrong with the text, in one line, or null.
export function parseFilter(text, trials) {
  const tests = [];
  for (const part of split(text)) {
    const match = TERM.exec(part);
    if (!match) {
      const word = part.toLowerCase();
      tests.push((row) => trials.words(row).includes(word));
      continue;
    }
    const [, name, operator, value] = match;
    const columns = trials.findColumns(name);
    if (!columns.length) return { test: () => true, error: unknown(name, trials) };
    const number = Number(value);
    if (operator.match(/[<>]/) && (value.trim() === "" || Number.isNaN(number))) {
      return {
        test: () => true,
        error: `${part}: ${value} is no number; ${operator} compares numbers; use = or ~ for words`,
      };
    }
    tests.push((row) => columns.some((column) => holds(column[row], operator, value.toLowerCase(), number)));
  }
  return { test: (row) => tests.every((test) => test(row)), error: null };
}

// Words apart at spaces; those around an operator belong to its term.
function split(text) {
  return text
    .trim()
    .replace(/\s*(<=|>=|!=|<|>|=|~)\s*/g, "$1")
    .split(/\s+/)
    .filter(Boolean);
}

function holds(value, operator, text, number) {
  if (value === null || value === undefined) return false;
  if (operator === "~") return String(value).toLowerCase().includes(text);
  if (typeof value === "number" && !Number.isNaN(number)) return COMPARE[operator](value, number);
  return COMPARE[operator](String(value).toLowerCase(), text);
}

function unknown(name, trials) {
  const known = trials.columnNames();
  const near = known.find((other) => distance(name.toLowerCase(), other.toLowerCase()) <= 2);
  return `unknown name ${name}; known: ${known.slice(0, 8).join(", ")}${known.length > 8 ? ", ..." : ""}; ${
    near ? `did you mean ${near}?` : "the table's headings are the names"
  }`;
}

// Levenshtein's distance of two short words.
function distance(a, b) {
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min(last[j] + 1, next[j - 1] + 1, last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    last = next;
  }
  return last[b.length];
}
