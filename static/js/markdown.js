/*
 * A small, safe reading of Markdown for text that is still arriving: it makes elements and text
 * nodes and never parses HTML. The server's own rendering takes its place when the run ends.
 */

const FENCE = /^```/;
const HEADING = /^(#{1,6})\s+(.*)$/;
const RULE = /^(-{3,}|\*{3,})\s*$/;
const QUOTE = /^>\s?/;
const BULLET = /^\s*[-*+]\s+/;
const NUMBER = /^\s*\d+[.)]\s+/;
const ROW = /^\s*\|/;
const ROW_RULE = /^[\s|:-]+$/;
const ONLY_MARKS = /^\s*(?:\d{1,3}[.)]?|[#>*+_`|:\s-]*)$/;
const OPEN = /(?:^|[\s(])(\*\*|\*|`)(?=\S)[^*`]*$/;
const OPEN_LINK = /\[[^\]]{0,80}(?:\](?:\([^)]*)?)?$/;
const INLINE = /(\*\*|__)(.+?)\1|(\*|_)(?=\S)(.+?)\3|`([^`]+)`|\[([^\]]+)\]\([^)]*\)/;

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function inline(text) {
  const nodes = [];
  let rest = text;
  for (let found = INLINE.exec(rest); found; found = INLINE.exec(rest)) {
    const [all, , bold, , slanted, code, label] = found;
    nodes.push(rest.slice(0, found.index));
    if (bold) nodes.push(element("strong", ...inline(bold)));
    else if (slanted) nodes.push(element("em", ...inline(slanted)));
    else if (code) nodes.push(element("code", code));
    else nodes.push(label);
    rest = rest.slice(found.index + all.length);
  }
  return [...nodes, rest];
}

function lines(texts) {
  return texts.flatMap((text, index) => [...(index ? [element("br")] : []), ...inline(text)]);
}

function cells(line, name) {
  const texts = line.trim().replace(/^\||\|$/g, "").split("|");
  return element("tr", ...texts.map((text) => element(name, ...inline(text.trim()))));
}

function table(rows) {
  const [head, ...body] = rows.filter((row) => !ROW_RULE.test(row));
  if (head === undefined) return element("p");
  const bodyRows = body.map((row) => cells(row, "td"));
  return element("table", element("thead", cells(head, "th")), element("tbody", ...bodyRows));
}

function list(name, mark, items) {
  const entries = items.map((item) => element("li", ...inline(item.replace(mark, ""))));
  return element(name, ...entries);
}

const KINDS = [
  [ROW, table],
  [QUOTE, (group) => element("blockquote", ...lines(group.map((l) => l.replace(QUOTE, ""))))],
  [BULLET, (group) => list("ul", BULLET, group)],
  [NUMBER, (group) => list("ol", NUMBER, group)],
];

function isPlain(line) {
  const others = [FENCE, HEADING, RULE, ...KINDS.map(([mark]) => mark)];
  return line.trim() !== "" && !others.some((mark) => mark.test(line));
}

/** The text's blocks as elements. */
export function blocks(text) {
  const waiting = text.split("\n");
  const made = [];
  const takeWhile = (test) => {
    let end = 0;
    while (end < waiting.length && test(waiting[end])) end += 1;
    return waiting.splice(0, end);
  };
  while (waiting.length > 0) {
    const line = waiting[0];
    const kind = KINDS.find(([mark]) => mark.test(line));
    if (kind) {
      made.push(kind[1](takeWhile((next) => kind[0].test(next))));
    } else if (isPlain(line)) {
      made.push(element("p", ...lines(takeWhile(isPlain))));
    } else {
      waiting.shift();
      const heading = HEADING.exec(line);
      if (heading) {
        made.push(element(`h${heading[1].length}`, ...inline(heading[2])));
      } else if (FENCE.test(line)) {
        const code = takeWhile((next) => !FENCE.test(next));
        waiting.shift();
        made.push(element("pre", element("code", code.join("\n"))));
      } else if (RULE.test(line)) {
        made.push(element("hr"));
      }
    }
  }
  return made;
}

function isInCode(text) {
  return text.split("\n").filter((line) => FENCE.test(line)).length % 2 === 1;
}

/**
 * Text that may go on, as it can be shown now: a line of which only marks have come and a link
 * that is not whole are left out, and bold, slanted or code that has begun is closed, so that no
 * mark is seen for a moment.
 */
export function arriving(text) {
  const start = text.lastIndexOf("\n") + 1;
  const [before, line] = [text.slice(0, start), text.slice(start)];
  if (isInCode(before)) return /^`{1,2}$/.test(line) ? before : text;
  if (ONLY_MARKS.test(line)) return before;
  const bare = line.replace(OPEN_LINK, "").replace(/[*`]+$/, "");
  return before + bare + (OPEN.exec(bare)?.[1] ?? "");
}

/** Where the text may be cut so that what stands before can no longer change; 0 for nowhere. */
export function settled(text) {
  const cut = text.lastIndexOf("\n\n");
  return cut > 0 && !isInCode(text.slice(0, cut)) ? cut : 0;
}
