// Where the data comes from: routes of the server, or a document inside this file. Both answer the same questions.

// An answer that is no data: why, in one line for people.
export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

// The source of this page.
export async function openSource() {
  const element = document.getElementById("snapshot");
  return element ? new Snapshot(await unpacked(JSON.parse(element.textContent))) : new Live();
}

class Live {
  isLive = true;
  notes = [];
  madeAt = null;

  studies() {
    return asked("api/studies");
  }

  study(id) {
    return asked(`api/studies/${id}`);
  }

  // Null: nothing has changed since `after`. `query` holds texts by parameter.
  points(id, query = {}) {
    return asked(`api/studies/${id}/points?${new URLSearchParams(query)}`);
  }

  strategies(id) {
    return asked(`api/studies/${id}/progress`);
  }

  trial(id) {
    return asked(`api/trials/${id}`);
  }

  compare(id, other) {
    return asked(`api/studies/${id}/compare${other ? `?with=${other}` : ""}`);
  }

  published() {
    return asked("api/published");
  }

  runners() {
    return asked("api/runners");
  }

  // Where the study can be downloaded as csv, json or html.
  address(id, format) {
    return `api/studies/${id}.${format}`;
  }
}

class Snapshot {
  isLive = false;
  #held;

  constructor(held) {
    this.#held = held;
    this.notes = held.notes ?? [];
    this.madeAt = held.made_at;
  }

  async studies() {
    return this.#held.studies;
  }

  async study(id) {
    return this.#own(id, this.#held.study);
  }

  async points(id, query = {}) {
    return query.after ? null : this.#own(id, this.#held.points);
  }

  async strategies(id) {
    return this.#own(id, this.#held.progress);
  }

  async trial(id) {
    const found = this.#held.trials[id];
    if (!found)
      throw new Refusal(
        "this file has the figures of this trial alone; its details stand in the database; open them with: bench dashboard",
        404,
      );
    return found;
  }

  async compare(id, other) {
    if (other)
      throw new Refusal("this file holds one study; two are compared live; open them with: bench dashboard", 404);
    return this.#own(id, this.#held.compare);
  }

  async published() {
    return this.#held.published;
  }

  async runners() {
    return this.#held.runners;
  }

  address() {
    return null;
  }

  #own(id, document) {
    if (id !== this.#held.points.study.id)
      throw new Refusal(
        "this file holds one study; the others stand in the database; open them with: bench dashboard",
        404,
      );
    return document;
  }
}

async function asked(path) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new Refusal("the server does not answer; what is shown stays; start it again with: bench dashboard", 0);
  }
  if (response.status === 204) return null;
  const document = await response
    .json()
    .catch(() => ({ error: `answer ${response.status} is no document; reload the page` }));
  if (!response.ok) throw new Refusal(document.error ?? `answer ${response.status}`, response.status);
  return document;
}

async function unpacked({ encoding, data }) {
  if (encoding !== "gzip+base64")
    throw new Refusal(`data in ${encoding}; gzip+base64 is read here; write the file again`, 0);
  const bytes = Uint8Array.from(atob(data.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}
