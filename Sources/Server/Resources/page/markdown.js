// The little of Markdown that answers use, as elements. Everything a model wrote ends in text nodes; links are made for http and
// https alone; images stay text. What is not understood is shown as it was written.
import { button, copy, el } from "./dom.js";

/**
 * Shows a text in a container. While a text grows only its changed blocks are made anew: blocks that read the same are kept.
 */
export function show(text, container, depth = 0) {
  // Deeper than this nobody nests on purpose, and a text that does could exhaust the stack.
  const blocks = depth > 8 ? [{ kind: "plain", source: text }] : split(text);
  const shown = container.blocks ?? [];
  let same = 0;
  while (same < blocks.length && same < shown.length && shown[same] === blocks[same].source) same += 1;
  while (container.childNodes.length > same) container.lastChild.remove();
  for (const block of blocks.slice(same)) container.append(element(block, depth));
  container.blocks = blocks.map((block) => block.source);
}

const fence = /^( {0,3})(`{3,}|~{3,})\s*([^`\s]*)[^`]*$/;
const heading = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const rule = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const item = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const quote = /^ {0,3}> ?(.*)$/;
const tableRule = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

/** Cuts a text into blocks: `{ kind, source, … }`. */
function split(text) {
  const lines = text.split("\n");
  const blocks = [];
  let at = 0;
  const take = (kind, end, more = {}) => {
    blocks.push({ kind, source: `${kind}\n${lines.slice(at, end).join("\n")}`, lines: lines.slice(at, end), ...more });
    at = end;
  };
  while (at < lines.length) {
    const line = lines[at];
    let match;
    if (line.trim() === "") {
      at += 1;
    } else if ((match = fence.exec(line))) {
      let end = at + 1;
      const close = new RegExp(`^ {0,3}${match[2][0] === "\`" ? "\`" : "~"}{${match[2].length},}\\s*$`);
      while (end < lines.length && !close.test(lines[end])) end += 1;
      const code = lines
        .slice(at + 1, end)
        .map((each) => (each.startsWith(match[1]) ? each.slice(match[1].length) : each));
      take("code", Math.min(end + 1, lines.length), { code: code.join("\n"), language: match[3] });
    } else if (heading.test(line)) {
      take("heading", at + 1);
    } else if (rule.test(line)) {
      take("rule", at + 1);
    } else if (quote.test(line)) {
      let end = at + 1;
      while (end < lines.length && lines[end].trim() !== "" && (quote.test(lines[end]) || !starts(lines[end])))
        end += 1;
      take("quote", end);
    } else if (item.test(line)) {
      take("list", listEnd(lines, at));
    } else if (line.includes("|") && tableRule.test(lines[at + 1] ?? "") && lines[at + 1].includes("-")) {
      let end = at + 2;
      while (end < lines.length && lines[end].includes("|") && lines[end].trim() !== "") end += 1;
      take("table", end);
    } else {
      let end = at + 1;
      while (end < lines.length && lines[end].trim() !== "" && !starts(lines[end])) end += 1;
      take("paragraph", end);
    }
  }
  return blocks;
}

/** Whether a line ends the paragraph before it. */
function starts(line) {
  const listed = item.exec(line);
  return (
    fence.test(line) ||
    heading.test(line) ||
    rule.test(line) ||
    quote.test(line) ||
    (listed !== null && (!/\d/.test(listed[2]) || /^1[.)]/.test(listed[2])))
  );
}

/** Where a list ends: items, lines indented below them, and blank lines between these. */
function listEnd(lines, start) {
  const [, indent, mark] = item.exec(lines[start]);
  let end = start + 1;
  while (end < lines.length) {
    const listed = item.exec(lines[end]);
    if (listed && listed[1].length <= indent.length + 1 && /\d/.test(listed[2]) !== /\d/.test(mark)) break;
    if (lines[end].trim() === "") {
      const next = lines[end + 1];
      if (next === undefined || !(item.test(next) || /^\s{2,}\S/.test(next))) break;
    } else if (!item.test(lines[end]) && !/^\s/.test(lines[end]) && starts(lines[end])) {
      break;
    }
    end += 1;
  }
  return end;
}

function element(block, depth) {
  switch (block.kind) {
    case "plain":
      return el("p", {}, block.source);
    case "code":
      return codeBlock(block);
    case "heading": {
      const [, marks, text] = heading.exec(block.lines[0]);
      // The page has a heading of the first level and each message one of the second.
      return el(`h${Math.min(marks.length + 2, 6)}`, {}, inline(text));
    }
    case "rule":
      return el("hr");
    case "quote": {
      const container = el("blockquote");
      show(block.lines.map((line) => quote.exec(line)?.[1] ?? line).join("\n"), container, depth + 1);
      return container;
    }
    case "list":
      return list(block.lines, depth);
    case "table":
      return table(block.lines);
    default:
      return el("p", {}, inline(block.lines.map((line) => line.trimStart()).join("\n")));
  }
}

function codeBlock({ code, language }) {
  return el(
    "div",
    { class: "code" },
    el(
      "div",
      { class: "code-head" },
      el("span", {}, language || "text"),
      button("Copy", () => copy(code, "Code copied"), { class: "plain", "aria-label": "Copy this code" }),
    ),
    el("pre", { tabindex: "0" }, el("code", {}, code)),
  );
}

function list(lines, depth) {
  const [, indent, mark] = item.exec(lines[0]);
  const ordered = /\d/.test(mark);
  const items = [];
  for (const line of lines) {
    const match = item.exec(line);
    if (match && match[1].length <= indent.length + 1) {
      items.push({ width: line.length - match[3].length, lines: [match[3]] });
    } else {
      const last = items.at(-1);
      const space = line.length - line.trimStart().length;
      last.lines.push(line.slice(Math.min(space, last.width)));
    }
  }
  const number = ordered ? Number.parseInt(mark, 10) : 1;
  return el(
    ordered ? "ol" : "ul",
    { start: ordered && number !== 1 ? number : null },
    items.map((each) => {
      const container = el("li");
      show(each.lines.join("\n"), container, depth + 1);
      // An item of one paragraph is its text.
      if (container.childNodes.length >= 1 && container.firstChild.nodeName === "P")
        container.firstChild.replaceWith(...container.firstChild.childNodes);
      return container;
    }),
  );
}

function table(lines) {
  const cells = (line) =>
    line
      .trim()
      .replace(/^\|/, "")
      .replace(/(?<!\\)\|$/, "")
      .split(/(?<!\\)\|/)
      .map((each) => each.trim().replaceAll("\\|", "|"));
  const sides = cells(lines[1]).map((mark) =>
    mark.endsWith(":") ? (mark.startsWith(":") ? "center" : "right") : null,
  );
  const row = (tag) => (line) =>
    el(
      "tr",
      {},
      cells(line).map((cell, column) => el(tag, { class: sides[column] }, inline(cell))),
    );
  return el(
    "div",
    { class: "scroll", tabindex: "0" },
    el("table", {}, el("thead", {}, row("th")(lines[0])), el("tbody", {}, lines.slice(2).map(row("td")))),
  );
}

const spans =
  /(`{1,4})([^\n]*?[^`])\1(?!`)|\*\*(?=\S)([\s\S]*?\S)\*\*|__(?=\S)([\s\S]*?\S)__(?!\w)|\*(?=[^\s*])([^*]*?[^\s*])\*(?!\*)|(?<!\w)_(?=[^\s_])([^_]*?[^\s_])_(?!\w)|~~(?=\S)([\s\S]*?\S)~~|\[([^\]\n]+)\]\((https?:\/\/[^\s()]+(?:\([^\s()]*\)[^\s()]*)*)\)|(https?:\/\/[^\s<>"'`]+[^\s<>"'`.,;:!?)\]])|\\([!-/:-@[-`{-~])/g;

/** The inside of a line. */
function inline(text, depth = 0) {
  if (depth > 8 || text.length > 20000) return [text];
  const nodes = [];
  let last = 0;
  for (const match of text.matchAll(spans)) {
    if (match.index > last) nodes.push(text.slice(last, match.index));
    last = match.index + match[0].length;
    const [whole, , code, strong, strong2, emphasis, emphasis2, struck, label, target, bare, escaped] = match;
    if (code !== undefined) nodes.push(el("code", {}, code.trim() || code));
    else if (strong ?? strong2) nodes.push(el("strong", {}, inline(strong ?? strong2, depth + 1)));
    else if (emphasis ?? emphasis2) nodes.push(el("em", {}, inline(emphasis ?? emphasis2, depth + 1)));
    else if (struck) nodes.push(el("s", {}, inline(struck, depth + 1)));
    else if (target) nodes.push(link(target, inline(label, depth + 1)));
    else if (bare) nodes.push(link(bare, [bare]));
    else nodes.push(escaped ?? whole);
  }
  if (last < text.length) nodes.push(text.slice(last));
  return nodes;
}

const link = (target, children) =>
  el("a", { href: target, rel: "noopener noreferrer nofollow", target: "_blank", title: target }, children);
