// Sets of trial numbers as short texts, "3-7.12": what an address holds of a selection.

// The text of a set; empty for an empty set.
export function toRanges(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const parts = [];
  for (let begin = 0; begin < sorted.length;) {
    let end = begin;
    while (end + 1 < sorted.length && sorted[end + 1] === sorted[end] + 1) end += 1;
    parts.push(begin === end ? `${sorted[begin]}` : `${sorted[begin]}-${sorted[end]}`);
    begin = end + 1;
  }
  return parts.join(".");
}

// The set of a text; what is no number or range is passed over, as an address may be cut off.
export function fromRanges(text) {
  const found = new Set();
  for (const part of (text ?? "").split(".")) {
    const match = /^([0-9]{1,7})(?:-([0-9]{1,7}))?$/.exec(part);
    if (!match) continue;
    const [low, high] = [Number(match[1]), Number(match[2] ?? match[1])];
    for (let number = low; number <= high && found.size < 1e6; number += 1) found.add(number);
  }
  return found;
}
