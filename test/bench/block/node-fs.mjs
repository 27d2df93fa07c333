/** Node's own `fs.read` and `fs.write` in a loop: how a program without ginit does it. */
import { openSync, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { microsecondsEach } from '../harness/measure.mjs';
import { figureOf, inLanes, positions, workloadsOf } from './workloads.mjs';

const [file, text] = process.argv.slice(2);
const settings = JSON.parse(text);
const descriptor = openSync(file, 'r+');
const reading = promisify(read);
const writing = promisify(write);
const figures = {};
for (const workload of workloadsOf(settings.workloads)) {
  const { bytes, depth } = workload;
  const buffers = Array.from({ length: depth }, () => new Uint8Array(bytes));
  const next = positions(workload);
  const transfer = workload.write ? writing : reading;
  const perform = (lane, position) => transfer(descriptor, buffers[lane], 0, bytes, position);
  const us = await microsecondsEach((count) => inLanes(count, workload, next, perform), settings);
  figures[workload.key] = figureOf(workload, us);
}
console.log(JSON.stringify(figures));
