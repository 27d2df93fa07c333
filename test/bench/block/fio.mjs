/**
 * fio with one of its engines: what a program in C reaches. One job, as the others have one client.
 */
import { spawnSync } from 'node:child_process';
import { figureOf, SPAN_BYTES, workloadsOf } from './workloads.mjs';

const [target, text] = process.argv.slice(2);
const { engine, workloads, runMs } = JSON.parse(text);
const where = engine === 'nbd' ? [`--uri=${target}`] : [`--filename=${target}`];
const figures = {};
for (const workload of workloadsOf(workloads)) {
  const { bytes, depth, random, write } = workload;
  const { stdout, stderr, status } = spawnSync(
    'fio',
    [
      '--name=block',
      `--ioengine=${engine}`,
      ...where,
      `--rw=${random ? 'rand' : ''}${write ? 'write' : 'read'}`,
      `--bs=${bytes}`,
      `--iodepth=${depth}`,
      `--size=${SPAN_BYTES}`,
      '--time_based',
      `--runtime=${runMs}ms`,
      '--invalidate=0',
      '--output-format=json',
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`fio ended with ${status}: ${stderr}`);
  const [job] = JSON.parse(stdout.slice(stdout.indexOf('{'))).jobs;
  figures[workload.key] = figureOf(workload, 1e6 / job[write ? 'write' : 'read'].iops);
}
console.log(JSON.stringify(figures));
