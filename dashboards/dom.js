// Elements made from data: text always becomes a text node, so nothing that a database holds is read as HTML.

const SVG = "http://www.w3.org/2000/svg";

// An HTML element. `attributes`: `on*` functions are listeners, `style` is an object of CSS properties (a strict policy
// allows the object, not the attribute), false and null are left out, true is an empty attribute.
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

// The same for SVG.
export function s(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

// Replaces what an element holds.
export function put(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

// The same where `key` says that something of it has changed. Who stands on a control with the keys stays there, what
// is being typed is left alone, and an open list is not closed by an update that changes nothing in it.
export function putKept(element, key, ...children) {
  const active = document.activeElement;
  const isHeld = element.contains(active);
  if (element.dataset.key === key || (isHeld && active.matches('input[type="number"], input[type="text"]'))) return;
  element.dataset.key = key;
  const controls = () => [...element.querySelectorAll("button, select, input, a")];
  const place = isHeld ? controls().indexOf(active) : -1;
  put(element, ...children);
  if (place >= 0) controls()[place]?.focus();
}

// Shows or hides an element.
export function show(element, isShown) {
  element.hidden = !isShown;
}

// A button with a text or an icon and a name.
export function button(text, onclick, attributes) {
  return h("button", { type: "button", onclick, ...attributes }, text);
}

// A labelled control.
export function labelled(text, control, attributes) {
  return h("label", { class: "field", ...attributes }, h("span", null, text), control);
}

// A select of [value, text] pairs.
export function choice(options, value, onchange, attributes) {
  return h(
    "select",
    { onchange: (event) => onchange(event.target.value), ...attributes },
    options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)),
  );
}

// A labelled check box.
export function check(text, isOn, onchange, attributes) {
  const box = h("input", { type: "checkbox", checked: isOn, onchange: (event) => onchange(event.target.checked) });
  return h("label", { class: "check", ...attributes }, box, h("span", null, text));
}

// A definition list of [term, value] pairs, those without a value left out.
export function pairs(rows, attributes) {
  const known = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h(
    "dl",
    { class: "pairs", ...attributes },
    known.map(([term, value]) => [h("dt", null, term), h("dd", null, value)]),
  );
}

// A real table. `heading` and cells are texts or elements; `isNumber[i]` aligns a column right.
export function table(caption, heading, rows, isNumber = []) {
  const kind = (place) => ({ class: isNumber[place] ? "number" : null });
  return h(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      null,
      h("caption", { class: "unseen" }, caption),
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          heading.map((cell, i) => h("th", { scope: "col", ...kind(i) }, cell)),
        ),
      ),
      h(
        "tbody",
        null,
        rows.map((row) =>
          h(
            "tr",
            null,
            row.map((cell, i) => h(i ? "td" : "th", { scope: i ? null : "row", ...kind(i) }, cell)),
          ),
        ),
      ),
    ),
  );
}

// A box with a heading.
export function card(heading, ...content) {
  return h("div", { class: "card" }, h("h3", null, heading), content);
}

// A part that is shown when it is asked for.
export function details(summary, content) {
  return h("details", null, h("summary", null, summary), content);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style")
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    else if (name === "checked" || name === "selected" || name === "disabled" || name === "hidden")
      element[name] = true;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}
