// Makes component.wasm from app.js and the store's world.

import { readFile, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize(await readFile('app.js', 'utf8'), {
  witPath: 'build/caravan-app.wit',
  worldName: 'app',
  sourceName: 'app.js',
  // With all of them off, the component asks nothing of WASI, which no store has.
  disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event'],
});
await writeFile('component.wasm', component);
console.log('component.wasm has ' + component.length + ' bytes.');
