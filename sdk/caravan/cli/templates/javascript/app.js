// The app: what it can do, and how it does it. Build it with: npm install && npm run build

import { next, open } from 'caravan:app/llm@1.0.0';
import { write } from 'caravan:app/output@1.0.0';

const ACTIONS = [
  {
    name: 'answer',
    title: 'Ask',
    doc: 'One sentence in answer to your question.',
    input_schema: {
      $$schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        question: { type: 'string', maxLength: 500, 'x-ui': { widget: 'text', label: 'Question' } },
      },
      required: ['question'],
      additionalProperties: false,
    },
  },
];

export function describe() {
  return JSON.stringify({ actions: ACTIONS });
}

export function run(action, input) {
  try {
    answer(JSON.parse(input));
    return '{}';
  } catch (error) {
    // The store's refusals come as its own JSON; anything else is an error of this file.
    if (error.payload) throw JSON.stringify({ type: 'HostError', ...JSON.parse(error.payload) });
    throw JSON.stringify({ type: error.name, message: error.message, traceback: error.stack ?? '' });
  }
}

function answer({ question }) {
  const messages = [
    { role: 'system', content: 'Answer in one sentence.' },
    { role: 'user', content: question },
  ];
  const handle = JSON.parse(open(JSON.stringify({ messages, max_tokens: 128 })));
  for (;;) {
    const piece = JSON.parse(next(JSON.stringify({ handle })));
    if ('end' in piece) return;
    write(JSON.stringify({ kind: 'text', text: piece.text }));
  }
}
