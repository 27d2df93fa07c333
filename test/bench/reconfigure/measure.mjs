/**
 * Measures one running system, and then how long it takes to stop and start the whole of it.
 *
 * measure.mjs FILE COUNT ROUNDS
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { System } from './system.mjs';

const [file, count, rounds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
/** The time between two changes, so that each is one. */
const QUIET_MS = 300;

const median = (values) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];

const system = new System(file, count);
let round = 0;
let version = 0;

/** The median time from a new version of the file until the child has said so. */
async function timesOf(change, text) {
  const times = [];
  for (let turn = 0; turn < rounds; turn++) {
    await sleep(QUIET_MS);
    const begin = performance.now();
    change();
    await system.said(text());
    times.push(performance.now() - begin);
  }
  return median(times);
}

async function whole() {
  const begin = performance.now();
  await system.end();
  await system.begin();
  return performance.now() - begin;
}

system.write(round, version);
await system.begin();
const reloaded = () => {
  system.write(++round, version);
  system.reload();
};
const figures = {
  changeMs: await timesOf(reloaded, () => `round ${round}`),
  watchedMs: await timesOf(
    () => system.write(++round, version),
    () => `round ${round}`,
  ),
  restartMs: await timesOf(
    () => {
      system.write(round, ++version);
      system.reload();
    },
    () => 'ready',
  ),
  // By now V8 has compiled the code that reads and checks a config.
  warmChangeMs: await timesOf(reloaded, () => `round ${round}`),
  wholeMs: await whole(),
};
await system.end();
console.log(JSON.stringify(figures));
