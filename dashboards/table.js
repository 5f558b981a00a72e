// All trials as a real table: sorted, filtered, in pages; the way through the data by keys and screen readers.

import { button, check, h, put, putKept, show } from "./dom.js";
import { figure, grouped, interval, NONE } from "./format.js";
import { emptyRows } from "./empty.js";

const ROWS_A_PAGE = 200;
const KINDS = ["front", "dominated", "infeasible", "early", "incomplete", "failed"];

export class TableView {
  #page;
  #hasChoices = false;
  #tools = h("div", { class: "tools controls" });
  #empty = h("div", { class: "empty" });
  #head = h("thead");
  #body = h("tbody");
  #wide;
  #note = h("p", { class: "note", id: "table-note" });

  constructor(root, page) {
    this.#page = page;
    const caption = h("caption", { class: "unseen" }, "Trials, those on the front first unless sorted otherwise");
    this.#wide = h(
      "div",
      { class: "wide tall", tabindex: "0", role: "region", "aria-label": "Trials" },
      h("table", { class: "trials", id: "trials" }, caption, this.#head, this.#body),
    );
    this.#body.addEventListener("keydown", (event) => this.#key(event));
    this.#body.addEventListener("mouseover", (event) => this.#over(event));
    this.#body.addEventListener("focusin", (event) => this.#over(event));
    this.#body.addEventListener("change", (event) =>
      page.selection.toggle(Number(event.target.closest("tr").dataset.number)),
    );
    root.append(this.#tools, this.#empty, this.#note, this.#wide);
  }

  draw() {
    const rows = this.#sorted(this.#page.rows());
    const isEmpty = emptyRows(this.#empty, this.#page, rows);
    for (const element of [this.#wide, this.#note]) show(element, !isEmpty);
    const pages = Math.max(1, Math.ceil(rows.length / ROWS_A_PAGE));
    const page = Math.min(Math.max(this.#page.state.get("page"), 1), pages);
    const shown = rows.slice((page - 1) * ROWS_A_PAGE, page * ROWS_A_PAGE);
    this.#drawTools(page, pages);
    if (isEmpty) return;
    const columns = this.#columns();
    const all = this.#page.shownCounts()?.tried ?? null;
    const thin =
      all !== null && rows.length < all
        ? `; they are of ${grouped(all)} trials: the front whole, the others evenly chosen, and a filter shows more`
        : "";
    this.#note.textContent = `rows ${grouped((page - 1) * ROWS_A_PAGE + 1)} to ${grouped((page - 1) * ROWS_A_PAGE + shown.length)} of ${grouped(rows.length)}${thin}`;
    this.#keepFocus(() => {
      put(
        this.#head,
        h(
          "tr",
          null,
          h("th", { scope: "col", class: "tick" }, h("span", { class: "unseen" }, "Selected")),
          columns.map((column) => this.#heading(column)),
        ),
      );
      put(
        this.#body,
        shown.map((row) => this.#row(row, columns)),
      );
    });
    this.#page.whenDrawn("table");
  }

  // Numbers in the order of the table, over all pages.
  order() {
    return this.#sorted(this.#page.rows()).map((row) => this.#page.study.trials.numbers[row]);
  }

  #columns() {
    const { study } = this.#page;
    const { trials } = study;
    const text = (name, title) => ({
      name,
      title,
      cell: (row) => trials.value(row, name) ?? NONE,
      value: (row) => trials.value(row, name),
    });
    const number = (name, title) => ({
      ...text(name, title),
      isNumber: true,
      cell: (row) => grouped(trials.value(row, name)),
    });
    const figures = study.figures.map((each) => ({
      name: each.name,
      title: `${each.short}${each.unit ? ` (${each.unit})` : ""}`,
      isNumber: true,
      value: (row) => trials.value(row, each.name),
      cell: (row) =>
        trials.low[each.name]
          ? interval(trials.value(row, each.name), trials.low[each.name][row], trials.high[each.name]?.[row])
          : figure(trials.value(row, each.name)),
    }));
    const verdicts = Object.keys(trials.verdict).map((name) => ({
      name: `verdict ${name}`,
      title: Object.keys(trials.verdict).length > 1 ? `verdict ${name}` : "verdict",
      cell: (row) => trials.verdict[name][row] ?? NONE,
      value: (row) => trials.verdict[name][row] ?? null,
    }));
    const choices = this.#hasChoices ? study.choices.map((choice) => text(choice.name, choice.name)) : [];
    return [
      { name: "number", title: "trial", isFirst: true, value: (row) => trials.numbers[row] },
      text("kind", "kind"),
      ...figures,
      ...verdicts,
      number("rung", "rung"),
      number("images", "pictures"),
      text("status", "status"),
      text("source", "source"),
      text("reason", "reason"),
      ...choices,
    ];
  }

  #heading(column) {
    const sort = this.#page.state.get("sort");
    const way = sort === column.name ? "ascending" : sort === `-${column.name}` ? "descending" : "none";
    const next = way === "ascending" ? `-${column.name}` : way === "descending" ? "" : column.name;
    const arrow = { ascending: " ↑", descending: " ↓", none: "" }[way];
    return h(
      "th",
      { scope: "col", "aria-sort": way, class: `${column.isFirst ? "pinned" : ""} ${column.isNumber ? "number" : ""}` },
      button(`${column.title}${arrow}`, () => this.#page.state.set({ sort: next, page: 1 }), {
        class: "plain",
        "data-sort": column.name,
      }),
    );
  }

  #row(row, columns) {
    const { study, selection, state, focus } = this.#page;
    const { trials } = study;
    const number = trials.numbers[row];
    const kind = trials.columns.kind[row];
    const label = trials.label(row);
    const first = h(
      "th",
      { scope: "row", class: "pinned" },
      h("a", { href: state.address({ view: "trial", trial: number }) }, label),
    );
    return h(
      "tr",
      {
        class: `${kind} ${focus === number ? "focused" : ""} ${this.#page.fresh.has(number) ? "fresh" : ""}`,
        "data-number": number,
      },
      h(
        "td",
        { class: "tick" },
        h("input", { type: "checkbox", checked: selection.has(number), "aria-label": `select ${label}` }),
      ),
      columns.map((column) =>
        column.isFirst ? first : h("td", { class: column.isNumber ? "number" : null }, column.cell(row)),
      ),
    );
  }

  #drawTools(page, pages) {
    const { state } = this.#page;
    const go = (to) => () => {
      state.set({ page: to });
      this.#wide.scrollTop = 0;
    };
    putKept(
      this.#tools,
      JSON.stringify([page, pages, state.get("sort"), this.#hasChoices]),
      button("Previous", go(page - 1), { disabled: page <= 1 }),
      h("span", null, `page ${page} of ${pages}`),
      button("Next", go(page + 1), { disabled: page >= pages }),
      state.get("sort") && button("Front first", () => state.set({ sort: "", page: 1 })),
      check("choices of the space", this.#hasChoices, (isOn) => {
        this.#hasChoices = isOn;
        this.draw();
      }),
    );
  }

  #sorted(rows) {
    const { study, state } = this.#page;
    const { trials } = study;
    const sort = state.get("sort");
    const name = sort.replace(/^-/, "");
    if (!sort) {
      const place = new Map(study.front.map((number, i) => [number, i]));
      const rank = (row) =>
        trials.columns.kind[row] === "front"
          ? (place.get(trials.numbers[row]) ?? 0)
          : 1e7 * (1 + KINDS.indexOf(trials.columns.kind[row])) + trials.numbers[row];
      return [...rows].sort((a, b) => rank(a) - rank(b));
    }
    const read = name.startsWith("verdict ")
      ? (row) => trials.verdict[name.slice(8)]?.[row] ?? null
      : (row) => trials.value(row, name);
    const sign = sort.startsWith("-") ? -1 : 1;
    // What has no value comes last, whichever way.
    return [...rows].sort((a, b) => {
      const [left, right] = [read(a), read(b)];
      if (left === null || right === null) return (left === null) - (right === null) || a - b;
      const order =
        typeof left === "number" && typeof right === "number"
          ? left - right
          : String(left).localeCompare(String(right), "en", { numeric: true });
      return sign * order || trials.numbers[a] - trials.numbers[b];
    });
  }

  // Up and down go from row to row where a link or a tick box of one has the focus.
  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const row = event.target.closest("tr");
    const next = step > 0 ? row.nextElementSibling : row.previousElementSibling;
    next?.querySelector(event.target.tagName).focus();
    event.preventDefault();
    event.stopPropagation();
  }

  #over(event) {
    const number = event.target.closest("tr")?.dataset.number;
    if (number !== undefined) this.#page.hover(Number(number));
  }

  // Rows are drawn anew; whoever stood on one with the keys still does.
  #keepFocus(change) {
    const held =
      this.#body.contains(document.activeElement) || this.#head.contains(document.activeElement)
        ? document.activeElement
        : null;
    const number = held?.closest("tr")?.dataset.number;
    const sort = held?.dataset.sort;
    change();
    if (number !== undefined)
      this.#body.querySelector(`tr[data-number="${number}"] ${held.tagName}`)?.focus({ preventScroll: true });
    else if (sort) [...this.#head.querySelectorAll("button")].find((found) => found.dataset.sort === sort)?.focus();
  }
}
