// A model card's Markdown as elements: what cards are made of, and no HTML. Pictures are not loaded.

import { el } from "./dom.js";

/** The elements of a Markdown text; a YAML header is left out. Headings begin at `level`. */
export function rendered(markdown, level = 3) {
  const lines = markdown.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n").replace(/^---\n[\s\S]*?\n---(\n|$)/, "").split("\n");
  return blocks(lines, level);
}

const ITEM = /^(\s*)([-*+]|\d+[.)])\s+(.*)$/;
const RULE = /^\s*([-*_])(\s*\1){2,}\s*$/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const FENCE = /^\s*(```+|~~~+)/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

function blocks(lines, level) {
  const made = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    const heading = HEADING.exec(line);
    if (line.trim() === "") {
      at += 1;
    } else if (FENCE.test(line)) {
      const fence = FENCE.exec(line)[1];
      let end = at + 1;
      while (end < lines.length && !lines[end].trim().startsWith(fence)) end += 1;
      made.push(el("pre", { tabIndex: 0 }, el("code", {}, lines.slice(at + 1, end).join("\n"))));
      at = end + 1;
    } else if (heading) {
      const depth = Math.min(6, level + heading[1].length - 1);
      made.push(el(`h${depth}`, {}, ...inline(heading[2])));
      at += 1;
    } else if (RULE.test(line)) {
      made.push(el("hr"));
      at += 1;
    } else if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "") && lines[at + 1].includes("-")) {
      let end = at + 2;
      while (end < lines.length && lines[end].includes("|")) end += 1;
      made.push(table(lines.slice(at, end)));
      at = end;
    } else if (line.startsWith(">")) {
      let end = at;
      while (end < lines.length && lines[end].startsWith(">")) end += 1;
      made.push(el("blockquote", {}, ...blocks(lines.slice(at, end).map((one) => one.replace(/^> ?/, "")), level)));
      at = end;
    } else if (ITEM.test(line)) {
      let end = at + 1;
      while (end < lines.length && (ITEM.test(lines[end]) || /^\s+\S/.test(lines[end]))) end += 1;
      made.push(list(lines.slice(at, end)));
      at = end;
    } else {
      let end = at + 1;
      while (end < lines.length && lines[end].trim() !== "" && !begins(lines[end])) end += 1;
      made.push(el("p", {}, ...inline(lines.slice(at, end).join(" "))));
      at = end;
    }
  }
  return made;
}

const begins = (line) => HEADING.test(line) || FENCE.test(line) || ITEM.test(line) || line.startsWith(">");

function list(lines) {
  const [, indent, sign] = ITEM.exec(lines[0]);
  const items = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && item[1].length <= indent.length) items.push([item[3]]);
    else items.at(-1).push(line.slice(indent.length).replace(/^ {1,4}/, ""));
  }
  const made = items.map((item) => {
    const nested = item.findIndex((line) => ITEM.test(line));
    const own = nested < 0 ? item : item.slice(0, nested);
    return el("li", {}, ...inline(own.join(" ")), nested < 0 ? null : list(item.slice(nested)));
  });
  return el(/\d/.test(sign) ? "ol" : "ul", {}, ...made);
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((one) => one.trim().replaceAll("\\|", "|"));

function table([head, divider, ...rows]) {
  const right = cells(divider).map((one) => /^[^:]*:$/.test(one));
  const row = (line, name) =>
    el("tr", {}, ...cells(line).map((one, at) => el(name, { class: right[at] ? "n" : null, scope: name === "th" ? "col" : null }, ...inline(one))));
  return el(
    "div",
    { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table" },
    el("table", {}, el("thead", {}, row(head, "th")), el("tbody", {}, ...rows.map((line) => row(line, "td")))),
  );
}

const SPAN = /(`+)([\s\S]*?[^`])\1(?!`)|!\[([^\]]*)\]\([^)]*\)|\[([^\]]+)\]\(([^)\s]+)[^)]*\)|<(https?:\/\/[^>\s]+)>|\*\*(\S(?:.*?\S)?)\*\*|__(\S(?:.*?\S)?)__|\*([^\s*](?:[^*]*[^\s*])?)\*|(?<!\w)_([^\s_](?:[^_]*[^\s_])?)_(?!\w)/;

function inline(text) {
  const found = SPAN.exec(text);
  if (!found) return [text.replace(/\\([\\`*_{}[\]()#+.!|<>~-])/g, "$1")];
  const [whole, , code, picture, label, address, plain, bold, bold2, slanted, slanted2] = found;
  let made = whole;
  if (code !== undefined) made = el("code", {}, code.trim());
  else if (picture !== undefined) made = picture;
  else if (label !== undefined) made = link(address, inline(label));
  else if (plain !== undefined) made = link(plain, [plain]);
  else if (bold ?? bold2) made = el("strong", {}, ...inline(bold ?? bold2));
  else if (slanted ?? slanted2) made = el("em", {}, ...inline(slanted ?? slanted2));
  return [...inline(text.slice(0, found.index)), made, ...inline(text.slice(found.index + whole.length))];
}

/** A link out of the page; anything but an address of the web stays text. */
function link(address, content) {
  if (!/^https?:\/\//i.test(address)) return el("span", {}, ...content);
  return el("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, ...content);
}
