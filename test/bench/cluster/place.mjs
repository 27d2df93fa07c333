/**
 * 20 components placed on 3 nodes: the time from the start of the head, with the nodes waiting, to
 * the moment when all 20 have said a word; once with their code still to come, once with it there.
 * Everything runs on this machine: a nats-server, three `ginit node` and one head.
 *
 * Prints {"placeColdMs": …, "place20Ms": …}.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PARENT_PROVIDES } from '../harness/ginit-system.mjs';
import { startMachines, stop } from './machines.mjs';

const [count = 20] = process.argv.slice(2).map(Number);
const NODES = ['a', 'b', 'c'];

const { directory, start, nodes } = await startMachines(NODES);
writeFileSync(
  join(directory, 'word.js'),
  "import { component } from '@ginit/core';\nexport default component({}, (env) => env.log('is there'));\n",
);
const starts = Array.from(
  { length: count },
  (_, at) => `<start name="one-${at}" node="any"> <binary name="./word.js"/> </start>`,
);
writeFileSync(
  join(directory, 'place.xml'),
  `<config>
${PARENT_PROVIDES}
  <default caps="100" ram="1M"/>
  ${starts.join('\n  ')}
</config>
`,
);

async function placed() {
  const beganMs = performance.now();
  let all;
  const head = await new Promise((resolve) => {
    const child = start(['place.xml'], (text) => {
      if (all !== undefined || text.split('is there').length <= count + NODES.length) return;
      all = performance.now() - beganMs;
      resolve(child);
    });
  });
  await stop(head);
  return all;
}

const placeColdMs = await placed();
const place20Ms = await placed();
await Promise.all(nodes.map(stop));
console.log(JSON.stringify({ placeColdMs, place20Ms }));
process.exit(0);
