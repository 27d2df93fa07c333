/**
 * Lookups a second in the directory of a cache alone: the index and the policy, all of them hits.
 */
import { makePolicy, Shadow } from '@ginit/blockcache/policy';
import { microsecondsEach } from '../harness/measure.mjs';

const [name, slotsText, settingsText] = process.argv.slice(2);
const slots = Number(slotsText);
const directory = new Shadow((memory) => makePolicy(name, memory), slots, 2 ** 31);
const chunks = Uint32Array.from(
  { length: slots },
  (_, index) => (Math.imul(index, 2_654_435_761) >>> 2) & 0x1fffffff,
);
for (const chunk of chunks) directory.use(chunk);

let at = 0;
let misses = 0;
const run = (count) => {
  for (let left = count; left > 0; left--) {
    at = (at + 7919) % slots;
    if (!directory.use(chunks[at])) misses++;
  }
};
const us = await microsecondsEach(async (count) => run(count), JSON.parse(settingsText));
if (misses > 0) throw new Error(`${misses} lookups were no hits`);
console.log(JSON.stringify({ lookups: 1e6 / us }));
