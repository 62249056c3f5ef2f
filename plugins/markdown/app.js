// Markdown writer: rough notes become a tidy document. A component in JavaScript.

import { next, open } from 'caravan:app/llm@1.0.0';
import { write } from 'caravan:app/output@1.0.0';

const LONGEST_HEADING = 60;
const TASK = /^(todo|task|done|مهمة|تم)\s*:\s*/i;
const DONE = new Set(['done', 'تم']);
const INTRODUCE = 'Write one short paragraph that introduces this document. Plain text only.';

const text = (label, more) => ({ type: 'string', ...more, 'x-ui': { label, ...more?.['x-ui'] } });
const flag = (label) => ({ type: 'boolean', default: false, 'x-ui': { widget: 'switch', label } });

const ACTIONS = [
  {
    name: 'document',
    title: 'Write the document',
    doc: 'Turn notes into Markdown with headings, lists, tables and tasks.',
    input_schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        title: text('Title', { maxLength: 100, 'x-ui': { widget: 'text' } }),
        notes: text('Your notes', {
          minLength: 1,
          maxLength: 8000,
          'x-ui': {
            widget: 'textarea',
            placeholder: 'One thought a line. “todo:” makes a task, commas make a table.',
          },
        }),
        contents: flag('With a table of contents'),
        introduction: flag('With an introduction by the model (a larger one than the demo model)'),
      },
      required: ['title', 'notes'],
      additionalProperties: false,
    },
  },
];

export function describe() {
  return JSON.stringify({ actions: ACTIONS });
}

export function run(action, input) {
  try {
    if (action !== 'document') throw new Error(`There is no action “${action}”.`);
    document(JSON.parse(input));
    return '{}';
  } catch (error) {
    // The store's refusals come as its own JSON; anything else is an error of this file.
    if (error.payload) throw JSON.stringify({ type: 'HostError', ...JSON.parse(error.payload) });
    throw JSON.stringify({ type: error.name, message: error.message, traceback: error.stack ?? '' });
  }
}

function document({ title, notes, contents, introduction }) {
  const sections = sectionsOf(notes);
  say(`# ${title.trim()}\n\n`);
  if (introduction) {
    for (const piece of answer(INTRODUCE, `${title}\n\n${notes}`)) say(piece);
    say('\n\n');
  }
  const named = sections.filter((section) => section.heading);
  if (contents && named.length > 1) {
    say(named.map((section, number) => `${number + 1}. ${section.heading}\n`).join('') + '\n');
  }
  for (const { heading, blocks } of sections) {
    if (heading) say(`## ${heading}\n\n`);
    for (const block of blocks) say(`${render(block)}\n\n`);
  }
}

function say(markdown) {
  write(JSON.stringify({ kind: 'text', text: markdown, format: 'markdown' }));
}

function* answer(system, content) {
  const messages = [{ role: 'system', content: system }, { role: 'user', content }];
  const handle = JSON.parse(open(JSON.stringify({ messages, max_tokens: 120 })));
  for (;;) {
    const piece = JSON.parse(next(JSON.stringify({ handle })));
    if ('end' in piece) return;
    yield piece.text;
  }
}

// A short line that ends in a colon, or begins with “#”, opens a section; an empty line ends a block.
function sectionsOf(notes) {
  const sections = [{ heading: '', blocks: [] }];
  let block = null;
  for (const raw of notes.split(/\r?\n/)) {
    const line = raw.trim();
    const heading = headingOf(line);
    const kind = kindOf(line);
    if (heading) sections.push({ heading, blocks: [] });
    if (!line || heading) {
      block = null;
    } else {
      if (block?.kind !== kind) sections.at(-1).blocks.push((block = { kind, lines: [] }));
      block.lines.push(line);
    }
  }
  return sections.filter((section) => section.heading || section.blocks.length);
}

function headingOf(line) {
  const marked = /^#+\s*(.+)$/.exec(line);
  if (marked) return marked[1];
  const isShort = line.length <= LONGEST_HEADING && line.split(' ').length <= 8;
  return isShort && line.length > 1 && line.endsWith(':') ? line.slice(0, -1) : '';
}

function kindOf(line) {
  if (TASK.test(line)) return 'tasks';
  if (/^([-*•]|\d+[.)])\s+/.test(line)) return 'list';
  if (line.split(',').length > 2 && !/[.!?]$/.test(line)) return 'table';
  return 'paragraph';
}

function render({ kind, lines }) {
  switch (kind) {
    case 'tasks':
      return lines.map((line) => line.replace(TASK, (_, word) => `- ${box(word)} `)).join('\n');
    case 'list':
      return lines.map((line) => `- ${line.replace(/^([-*•]|\d+[.)])\s+/, '')}`).join('\n');
    case 'table':
      return table(lines.map((line) => line.split(',').map((cell) => cell.trim().replaceAll('|', '\\|'))));
    default:
      return lines.join(' ');
  }
}

function box(word) {
  return DONE.has(word.toLowerCase()) ? '☑' : '☐';
}

function table(rows) {
  const width = Math.max(...rows.map((row) => row.length));
  const line = (cells) => `| ${Array.from({ length: width }, (_, n) => cells[n] ?? '').join(' | ')} |`;
  return [line(rows[0]), line(Array(width).fill('---')), ...rows.slice(1).map(line)].join('\n');
}
