// Raw samples of a latency: every run as a point in the order in which it happened, and their distribution.

import { h, s } from "./dom.js";
import { figure } from "./format.js";

const [WIDTH, STRIP, ECDF, LEFT, BOTTOM] = [620, 110, 120, 10, 20];
// So many points show any distribution; more of them only weigh.
const MOST = 1500;

// The strip and the distribution of one measurement; null where it has no samples.
export function samplesFigure(found) {
  const all = (found.samples?.ms ?? []).flatMap((process, number) =>
    process.map((ms, i) => ({ ms, process: number, isContended: found.samples.contended?.[number]?.[i] ?? false })),
  );
  if (!all.length) return null;
  const values = all.map((sample) => sample.ms).sort((a, b) => a - b);
  const reference = (found.samples.reference_ms ?? []).flat().sort((a, b) => a - b);
  const low = Math.min(values[0], reference[0] ?? Infinity, found.low_ms ?? Infinity);
  // The slowest runs are rare and far away: the scale ends soon after the 99th percentile, and says so.
  const high = Math.max(quantile(values, 0.99), quantile(reference, 0.99), found.high_ms ?? 0) * 1.03;
  const x = (ms) => LEFT + ((WIDTH - 2 * LEFT) * (Math.min(ms, high) - low)) / (high - low || 1);
  const beyond = values.filter((ms) => ms > high).length;
  const clean = all.filter((sample) => !sample.isContended).length;
  const text = `${all.length} runs in ${found.samples.ms.length} processes, median ${figure(quantile(values, 0.5))} ms, ${all.length - clean} while others used the CPU`;
  return h(
    "figure",
    { class: "samples" },
    s(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${STRIP + ECDF + BOTTOM}`, role: "img", "aria-label": text },
      stripMarks(all, found, x),
      ecdfMarks(values, reference, x),
      scaleMarks(low, high, x),
    ),
    h(
      "figcaption",
      { class: "note" },
      `${text}. Above: every run, from the first (bottom) to the last; hollow: others used the CPU; band: 95 % interval. Below: share of runs at most so long${reference.length ? ", dashed the pinned reference" : ""}.${beyond ? ` ${beyond} runs beyond ${figure(high)} ms stand at the edge.` : ""}`,
    ),
  );
}

function stripMarks(all, found, x) {
  const shown = thinned(all);
  const band = found.low_ms !== null && found.low_ms !== undefined;
  return [
    band &&
      s("rect", {
        x: x(found.low_ms),
        y: 0,
        width: Math.max(1, x(found.high_ms) - x(found.low_ms)),
        height: STRIP,
        class: "band",
      }),
    band && s("line", { x1: x(found.ms), x2: x(found.ms), y1: 0, y2: STRIP, class: "middle" }),
    shown.map((sample, i) =>
      s("circle", {
        cx: x(sample.ms),
        cy: STRIP - 4 - ((STRIP - 8) * i) / shown.length,
        r: 1.8,
        class: `${sample.isContended ? "contended" : "run"} process${sample.process % 2}`,
      }),
    ),
  ];
}

function ecdfMarks(values, reference, x) {
  const path = (sorted) =>
    thinned(sorted.map((ms, i) => [ms, (i + 1) / sorted.length]))
      .map(([ms, share], i) => `${i ? "L" : "M"}${x(ms).toFixed(1)} ${(STRIP + ECDF - (ECDF - 12) * share).toFixed(1)}`)
      .join("");
  return [
    reference.length > 0 && s("path", { d: path(reference), class: "ecdf reference" }),
    s("path", { d: path(values), class: "ecdf" }),
  ];
}

function scaleMarks(low, high, x) {
  return [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const ms = low + share * (high - low);
    return s(
      "text",
      {
        x: x(ms),
        y: STRIP + ECDF + 15,
        class: "tick",
        "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle",
      },
      `${figure(ms, 3)}${share === 1 ? " ms" : ""}`,
    );
  });
}

function thinned(items) {
  const step = Math.ceil(items.length / MOST);
  return step > 1 ? items.filter((_item, i) => i % step === 0) : items;
}

function quantile(sorted, share) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : 0;
}
