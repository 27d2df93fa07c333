/**
 * Runs a command that boots the guest, and measures from outside: `run-guest.mjs COMMAND…`. What
 * the guest, or a component beside it, says on standard output ("BENCH KEY begin", "BENCH KEY end
 * COUNT") is timed here, and the CPUs' time of the command with all its children is taken at the
 * same moments: on a machine that has more to do, that is the figure to look at.
 */
import { spawn } from 'node:child_process';
import { median } from '../harness/measure.mjs';
import { cpuMsOf, largestMiB } from './process-tree.mjs';
import { figureOf, WORKLOADS } from './workloads.mjs';

const LINE = /BENCH (\S+) (begin|end(?: (\d+))?)/;
const MEMORY = /1 processor, (\d+) MiB/;

const [file, ...args] = process.argv.slice(2);
const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
const start = { wallMs: performance.now(), cpuMs: 0 };
const begun = new Map([['boot', start]]);
/** The durations by key: several if something was done several times. */
const spans = new Map();
let guestMiB;
let overheadMiB;
let isDone = false;

function heard(line) {
  guestMiB ??= MEMORY.exec(line)?.[1];
  if (line.includes('BENCH failed')) throw new Error(`the guest has failed: ${line}`);
  const [, key, what, count] = LINE.exec(line) ?? [];
  if (key === undefined) return;
  const now = { wallMs: performance.now(), cpuMs: cpuMsOf(child.pid) };
  if (what === 'begin') return void begun.set(key, now);
  if (key === 'done') return finish();
  const { wallMs, cpuMs } = begun.get(key);
  const list = spans.get(key) ?? [];
  list.push({ ms: now.wallMs - wallMs, cpuMs: now.cpuMs - cpuMs, count: Number(count) });
  spans.set(key, list);
  if (key === 'idle' && guestMiB !== undefined) overheadMiB = largestMiB(child.pid) - Number(guestMiB);
}

function finish() {
  isDone = true;
  child.kill('SIGTERM');
}

function figures() {
  const all = {};
  for (const key of ['boot', 'save', 'restore']) {
    const list = spans.get(key);
    if (!list) continue;
    all[`${key}Ms`] = median(list.map(({ ms }) => ms));
    all[`${key}CpuMs`] = median(list.map(({ cpuMs }) => cpuMs));
  }
  for (const workload of WORKLOADS) {
    const [span] = spans.get(workload.key) ?? [];
    if (!span) continue;
    all[workload.key] = figureOf(workload, span.count, span.ms);
    all[`${workload.key}CpuUs`] = (span.cpuMs * 1000) / span.count;
  }
  const [idle] = spans.get('idle') ?? [];
  if (idle) all.idleCpuPercent = (100 * Math.max(idle.cpuMs, 1)) / idle.ms;
  if (overheadMiB !== undefined) all.overheadMiB = overheadMiB;
  return all;
}

let rest = '';
let seen = '';
child.stdout.setEncoding('utf8').on('data', (text) => {
  seen += text;
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  for (const line of lines) heard(line);
});
child.on('close', (code, signal) => {
  if (!isDone) throw new Error(`the guest has ended with ${signal ?? code}:\n${seen}`);
  console.log(JSON.stringify(figures()));
});
// Whoever ends this ends the guest, also by a signal.
process.on('exit', () => child.kill('SIGKILL'));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(1));
