// Published networks beside the front: other pictures and other devices, so only on axes of their own.
//
// Each set is divided by its own FastViT-T8 (the study's by the one measured there, a paper's by that paper's on the same
// device): the shapes of the fronts can be read against each other, their values cannot.

const ANCHOR = "fastvit_t8";
const FIELDS = { accuracy: "top1", latency_ms: "latency_ms", params_m: "params_m", macs_g: "macs_g" };

// Whether a figure was published at all.
export function isPublished(name) {
  return name.split(":")[0] in FIELDS;
}

// Devices with a latency of the anchor, the one with the most networks first.
export function publishedDevices(published) {
  const anchored = new Set(
    published.points.filter((point) => point.name === ANCHOR && point.latency_ms !== null).map((point) => point.device),
  );
  const counts = new Map([...anchored].map((device) => [device, 0]));
  for (const { device } of published.points) if (counts.has(device)) counts.set(device, counts.get(device) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([device]) => device);
}

// Published points over two figures as {name, x, y, text}, in multiples of the anchor's.
export function publishedPoints(published, x, y, device) {
  const isOver = [x, y].some((name) => name.startsWith("latency_ms"));
  const read = (point, name) => point[FIELDS[name.split(":")[0]]];
  const all = published.points.filter((point) => (isOver ? point.device === device : true));
  const seen = new Set();
  const own = all.filter((point) => {
    if (read(point, x) === null || read(point, y) === null || seen.has(point.name)) return false;
    seen.add(point.name);
    return true;
  });
  const anchor = own.find((point) => point.name === ANCHOR);
  if (!anchor) return [];
  return own.map((point) => ({
    name: point.name,
    x: read(point, x) / read(anchor, x),
    y: read(point, y) / read(anchor, y),
    text: `${point.name}, published: top-1 ${point.top1 ?? "?"} % (${point.training ?? "training not told"})${point.latency_ms === null ? "" : `, ${point.latency_ms} ms on ${point.device}`}; ${point.source}`,
  }));
}

// What the study's own values are divided by, as {x, y}; null where it has no anchor with both.
export function studyAnchor(study, x, y) {
  for (const trials of [study.trials, study.baselines?.trials]) {
    const row =
      trials?.columns.name.findIndex(
        (name, i) => name === ANCHOR && ["front", "dominated"].includes(trials.columns.kind[i]),
      ) ?? -1;
    if (row < 0) continue;
    const [across, up] = [trials.value(row, x), trials.value(row, y)];
    if (across && up) return { x: across, y: up };
  }
  return null;
}
