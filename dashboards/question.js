// What the server is asked of a study that is too large to be held whole: which part of it the page needs.

// So many numbers fit into an address.
const MOST_KEPT = 2500;

// The question as texts by parameter. `window` is that of a zoom; a filter that cannot be read is not sent, nor one that
// nobody has read yet: an address may hold anything.
export function question({ state, selection, focus, study }, window) {
  const known = (name) => state.get(name) && (study?.figure(state.get(name)) ?? null) !== null;
  const log = ["x", "y"].filter((axis) => state.get(`${axis}log`)).join();
  const keep = numbersKept({ state, focus });
  const filter = state.get("filter");
  return {
    ...(known("x") && { x: state.get("x") }),
    ...(known("y") && { y: state.get("y") }),
    ...(log && { log }),
    ...(window && { window }),
    ...(filter && study && isReadable(selection, study) && { filter }),
    ...(keep.length && { keep: steps(keep) }),
  };
}

// Whether two questions are for the same part, but for the trials that are asked for by number.
export function isSame(a, b) {
  const plain = ({ keep: _keep, ...rest }) => JSON.stringify(rest);
  return plain(a) === plain(b);
}

// Trials that have to be held whatever is thinned, the most wanted first.
export function numbersKept({ state, focus }) {
  const sets = ["selected", "keep", "drop"].flatMap((name) => [...(state.get(name) ?? [])]);
  const wanted = [focus, state.get("trial"), ...sets].filter((number) => number !== null);
  return [...new Set(wanted)].slice(0, MOST_KEPT);
}

// 3, 17 and 18 as "3,14,1": from one number to the next takes fewer letters.
function steps(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.map((number, i) => number - (sorted[i - 1] ?? 0)).join();
}

function isReadable(selection, study) {
  selection.rows(study.trials);
  return selection.error === null;
}
