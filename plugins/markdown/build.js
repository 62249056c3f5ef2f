// Makes component.wasm from app.js and the store's world. Run: npm install && npm run build

import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const source = await readFile('app.js');
const { component } = await componentize(source.toString(), {
  witPath: '../../sdk/runtime/wit/caravan-app.wit',
  worldName: 'app',
  sourceName: 'app.js',
  // With all of them off, the component asks nothing of WASI, which no store has.
  disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event'],
});
const line = (data, name) => `${createHash('sha256').update(data).digest('hex')}  ${name}\n`;
await writeFile('component.wasm', component);
await writeFile('component.lock', line(source, 'app.js') + line(component, 'component.wasm'));
console.log(`component.wasm has ${component.length} bytes.`);
