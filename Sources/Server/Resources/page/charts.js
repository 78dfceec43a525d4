// Drawings of the engine view: lines over time, histograms, pages, the prefix tree. Colours come from the style sheet.
import { el, fill, svg } from "./dom.js";
import { count, counted, duration, rate } from "./format.js";

/** The smallest of 1, 2, 5 · 10ⁿ that is not below `value`. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 5, 10].find((step) => step * power >= value * 0.9999) * power;
}

/** A line over the last `seconds`. Points are `[time, value]`, oldest first; a gap of over 5 s breaks the line. */
export class LineChart {
  constructor(name, seconds) {
    this.name = name;
    this.seconds = seconds;
    this.value = el("strong", {}, "–");
    this.line = svg("path", { class: "line" });
    this.area = svg("path", { class: "area" });
    this.drawing = svg(
      "svg",
      { viewBox: "0 0 300 64", preserveAspectRatio: "none", class: "chart", role: "img" },
      svg("path", { class: "grid-line", d: "M0 1H300M0 32H300M0 63H300" }),
      this.area,
      this.line,
    );
    this.scale = el("span", { class: "scale" });
    this.element = el(
      "figure",
      { class: "panel line-chart" },
      el("figcaption", {}, el("span", {}, name), this.value),
      el("div", { class: "plot" }, this.drawing, this.scale),
      el("div", { class: "ticks" }, el("span", {}, `${Math.round(seconds / 60)} min ago`), el("span", {}, "now")),
    );
  }

  update(points, now) {
    const latest = points.at(-1)?.[1];
    this.value.textContent = latest === undefined ? "–" : rate(latest);
    const most = roundUp(Math.max(1, ...points.map((point) => point[1])));
    this.scale.textContent = count(most);
    let line = "";
    let area = "";
    let before = null;
    let start = null;
    for (const [time, value] of points) {
      const x = (300 * (1 - (now - time) / this.seconds)).toFixed(1);
      const y = (63 - (62 * value) / most).toFixed(1);
      if (before === null || time - before > 5) {
        if (start !== null) area += `V63H${start}Z`;
        line += `M${x} ${y}`;
        area += `M${x} ${y}`;
        start = x;
      } else {
        line += `L${x} ${y}`;
        area += `L${x} ${y}`;
      }
      before = time;
    }
    if (start !== null) area += `V63H${start}Z`;
    this.line.setAttribute("d", line);
    this.area.setAttribute("d", area);
    this.drawing.setAttribute(
      "aria-label",
      `${this.name}: now ${latest === undefined ? "nothing" : rate(latest)}, at most ${rate(Math.max(0, ...points.map((point) => point[1])))}`,
    );
  }
}

/** A value below which a share of a histogram's entries lies, by linear interpolation in its bucket; nil where it is empty. */
export function quantile({ bounds, counts }, share) {
  const total = counts.reduce((sum, each) => sum + each, 0);
  if (total === 0) return null;
  let below = 0;
  for (const [place, each] of counts.entries()) {
    if (below + each >= share * total && each > 0) {
      if (place >= bounds.length) return Infinity;
      const low = place === 0 ? 0 : bounds[place - 1];
      return low + ((bounds[place] - low) * (share * total - below)) / each;
    }
    below += each;
  }
  return null;
}

export function histogram(name, data) {
  const { bounds, counts } = data;
  const total = counts.reduce((sum, each) => sum + each, 0);
  const first = counts.findIndex((each) => each > 0);
  const last = counts.findLastIndex((each) => each > 0);
  const caption = el("figcaption", {}, el("span", {}, name), el("span", { class: "dim" }, counted(total, "value")));
  if (total === 0)
    return el(
      "figure",
      { class: "panel histogram" },
      caption,
      el("p", { class: "dim empty" }, "none in these minutes"),
    );
  // A bucket of room on either side, so that the ends are seen to be ends.
  const low = Math.max(0, first - 1);
  const shown = counts.slice(low, last + 2);
  const most = Math.max(...shown);
  const bars = shown.map((each, place) => {
    const bar = el(
      "span",
      { class: "bar-slot", title: `${range(bounds, low + place)}: ${count(each)}` },
      el("span", { class: "bar-fill" }),
    );
    bar.firstChild.style.height = `${(100 * each) / most}%`;
    return bar;
  });
  const at = (share) => {
    const value = quantile(data, share);
    return value === Infinity ? `> ${duration(bounds.at(-1))}` : duration(value);
  };
  return el(
    "figure",
    { class: "panel histogram" },
    caption,
    el(
      "div",
      {
        class: "bars",
        role: "img",
        "aria-label": shown.map((each, place) => `${range(bounds, low + place)}: ${each}`).join(", "),
      },
      bars,
    ),
    el(
      "div",
      { class: "ticks" },
      el("span", {}, low === 0 ? "0" : duration(bounds[low - 1])),
      el(
        "span",
        {},
        last + 1 >= bounds.length ? `> ${duration(bounds.at(-1))}` : duration(bounds[last + 1] ?? bounds.at(-1)),
      ),
    ),
    el(
      "dl",
      { class: "quantiles" },
      [
        ["half", 0.5],
        ["90 %", 0.9],
        ["99 %", 0.99],
      ].map(([label, share]) => el("div", {}, el("dt", {}, label), el("dd", {}, at(share)))),
    ),
  );
}

const range = (bounds, place) =>
  place >= bounds.length
    ? `over ${duration(bounds.at(-1))}`
    : `${place === 0 ? "0" : duration(bounds[place - 1])} to ${duration(bounds[place])}`;

const kinds = { u: "used", s: "shared", c: "cached", ".": "free" };

/** The cache's pages: one square each where the server sends them, a bar anyway. */
export class PageMap {
  constructor() {
    this.bar = el("div", { class: "stack", role: "img" });
    this.canvas = el("canvas", { class: "map", "aria-hidden": "true" });
    this.key = el("ul", { class: "key" });
    this.element = el("div", { class: "pages" }, this.bar, this.canvas, this.key);
  }

  update(pages) {
    const shared = pages.map ? [...pages.map].filter((each) => each === "s").length : 0;
    const parts = [
      ["used", pages.used - shared, "held by one request"],
      ["shared", shared, "held by several"],
      ["cached", pages.cached, "kept for prompts that begin alike"],
      ["free", pages.free, "free"],
    ];
    if (!pages.map) parts.splice(0, 2, ["used", pages.used, "held by requests"]);
    fill(
      this.bar,
      parts.map(([kind, number]) => {
        const part = el("span", { class: kind });
        part.style.flexGrow = number;
        return part;
      }),
    );
    this.bar.setAttribute(
      "aria-label",
      parts.map(([, number, label]) => `${number} ${label}`).join(", ") + ` of ${pages.total}`,
    );
    fill(
      this.key,
      parts.map(([kind, number, label]) =>
        el("li", {}, el("span", { class: `swatch ${kind}` }), `${count(number)} ${label}`),
      ),
    );
    this.canvas.hidden = !pages.map;
    if (pages.map) this.#draw(pages.map);
  }

  #draw(map) {
    const width = this.element.clientWidth || 300;
    const cell = map.length > 2048 ? 6 : map.length > 512 ? 9 : 13;
    const columns = Math.max(1, Math.floor(width / cell));
    const ratio = devicePixelRatio || 1;
    const height = Math.ceil(map.length / columns) * cell;
    this.canvas.width = columns * cell * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.width = `${columns * cell}px`;
    this.canvas.style.height = `${height}px`;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    // A custom property reads as it was written; a colour that is used reads as it is.
    const colour = (kind) => getComputedStyle(this.key.querySelector(`.swatch.${kind}`)).backgroundColor;
    const colours = Object.fromEntries(Object.entries(kinds).map(([letter, kind]) => [letter, colour(kind)]));
    const gap = cell > 8 ? 2 : 1;
    for (let page = 0; page < map.length; page += 1) {
      context.fillStyle = colours[map[page]] ?? colours["."];
      context.fillRect((page % columns) * cell, Math.floor(page / columns) * cell, cell - gap, cell - gap);
    }
  }
}

/**
 * The prefix tree lying on its side: along the line what is stored, a bar as long as its pages; one row for each leaf. What several
 * prompts share stands once, to the left of where they part.
 */
export function prefixTree({ nodes, omitted_pages: omitted }, pageSize) {
  const children = new Map();
  nodes.forEach((node, index) => {
    if (!children.has(node.parent)) children.set(node.parent, []);
    children.get(node.parent).push(index);
  });
  let rows = 0;
  let depth = 0;
  const placed = [];
  // Depth first without recursion: a chain of nodes may be long.
  const stack = (children.get(-1) ?? []).toReversed().map((index) => ({ index, start: 0 }));
  const ends = new Array(nodes.length);
  while (stack.length > 0) {
    const { index, start, after } = stack.pop();
    if (after !== undefined) {
      ends[index] = rows;
      continue;
    }
    const end = start + nodes[index].pages;
    depth = Math.max(depth, end);
    placed.push({ index, start, row: rows });
    const below = children.get(index) ?? [];
    stack.push({ index, after: true });
    if (below.length === 0) rows += 1;
    for (const child of below.toReversed()) stack.push({ index: child, start: end });
  }
  if (placed.length === 0) return el("p", { class: "dim empty" }, "No prompt is known yet.");
  const tree = el("div", { class: "tree", role: "list", "aria-label": "Stored prefixes" });
  tree.style.setProperty("--rows", rows);
  for (const { index, start, row } of placed) {
    const node = nodes[index];
    const label = node.label?.trim().replace(/\s+/g, " ");
    const facts = `${counted(node.pages, "page")} (${count(node.pages * pageSize)} tokens), ${node.users ? counted(node.users, "live request") : "no live request"}`;
    const bar = el(
      "div",
      {
        class: node.users ? (node.users > 1 ? "node shared" : "node used") : "node cached",
        role: "listitem",
        title: `${facts}${label ? `\n${label}` : ""}`,
        "aria-label": `${label ?? "prefix"}: ${facts}`,
      },
      label ?? String(node.pages),
    );
    bar.style.left = `${(100 * start) / depth}%`;
    bar.style.width = `${(100 * node.pages) / depth}%`;
    bar.style.top = `calc(${row} * var(--row))`;
    bar.style.height = `calc(${ends[index] - row} * var(--row))`;
    tree.append(bar);
  }
  return el(
    "div",
    {},
    el("div", { class: "scroll tall", tabindex: "0", "aria-label": "Prefix tree", role: "group" }, tree),
    el(
      "div",
      { class: "ticks" },
      el("span", {}, "start of the prompt"),
      el("span", {}, `${count(depth * pageSize)} tokens`),
    ),
    omitted ? el("p", { class: "dim" }, `${counted(omitted, "page")} further below are not drawn.`) : null,
  );
}
