/**
 * The stress run: a plan's system under ginit, watched from outside; then perhaps the same system
 * again, whose ginit is killed. Prints what went wrong, and the figures as the last line.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machines } from './cluster/machines.mjs';
import { Trouble } from './cluster/trouble.mjs';
import { configOf } from './plan/config.mjs';
import { hostileOf, initsOf, labelsOf } from './plan/tree.mjs';
import { leftOver, sharedMemoryFiles, total } from './watch/processes.mjs';
import { Progress } from './watch/progress.mjs';
import { Samples } from './watch/samples.mjs';
import { QUOTA, System } from './watch/system.mjs';

const SAMPLE_MS = 1000;
const START_TIMEOUT_MS = 120_000;
/**
 * From the end of the stress to that of ginit: everybody finishes what is under way, late calls are
 * waited for.
 */
const END_TIMEOUT_MS = 150_000;
/**
 * Threads that have shared memory with other processes give up what they no longer use after a
 * second or two of rest.
 */
const SNAPSHOT_DELAY_MS = 3000;
const LEFT_OVER_MS = 2000;
const KILL_AFTER_MS = 1500;
const FAILURES_SHOWN = 20;
/** At the end of the time everybody is there, and works. */
const TROUBLED_SHARE = 0.9;
/** Ends of components that are planned. */
const PLANNED = /dies as planned|as asked for/;
/** Libuv starts the four threads of its pool when they are first needed. */
const POOL_THREADS = 4;

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Counts the things of a system, after a moment of rest. */
async function snapshot(system) {
  await wait(SNAPSHOT_DELAY_MS);
  return system.processes();
}

/** Compares a system at rest before and after the stress. */
function compareSnapshots(before, after, components, fail) {
  const count = before.length;
  if (after.length !== count) fail(`${after.length} processes are there in the end, ${count} at the start`);
  // Two components of different processes that meet are joined by a socket, with an end in each
  // process.
  const descriptors = Math.max(count, components) * (Math.max(count, components) - 1);
  const bounds = { threads: POOL_THREADS * count, descriptors, files: 0 };
  for (const [key, more] of Object.entries(bounds)) {
    const [first, last] = [total(before, key), total(after, key)];
    if (last > first + more) fail(`${last} ${key} are there in the end, ${first} at the start`);
  }
}

/** What a node writes that only a fault writes. */
const NODE_FAULT = /assertion failed|broke the (channel )?protocol|Error: /;

/** The machines of a tree that has some, started. */
async function startMachines({ machines: names }, directory, log, fail) {
  if (!names) return undefined;
  const machines = await Machines.prepare(names, directory, log, (line, name) => {
    if (NODE_FAULT.test(line) && !PLANNED.test(line)) fail(`node "${name}": ${line}`);
  });
  await machines.start();
  return machines;
}

/** Ends machines in order: nothing of what they ran may be left. */
async function stopMachines(machines, fail) {
  for (const machine of machines.list) {
    const code = await machine.stop();
    if (code !== 0) fail(`the node "${machine.name}" ended with ${code}`);
    const left = machine.processes;
    if (left.length > 0) fail(`${left.length} processes of the node "${machine.name}" are left`);
  }
}

/** Runs the system for its time; `fail` takes what goes wrong. */
async function stress(config, { tree, seconds, log, machines }, fail) {
  const system = new System(config, log, machines?.headArgs);
  const trouble = machines && new Trouble(machines, tree.seed, fail);
  const samples = new Samples();
  const failures = system.output.failures;
  const progress = new Progress(seconds);
  let running = false;
  const timer = setInterval(() => {
    const processes = system.processes();
    if (running) samples.add(processes);
    progress.show({ ...system.output.totals, alive: system.output.alive }, processes, failures.length);
  }, SAMPLE_MS);
  try {
    if (!(await system.phase('ready', START_TIMEOUT_MS)))
      return fail('the system does not get ready', system);
    const before = await snapshot(system);
    if (!(await system.phase('running', START_TIMEOUT_MS))) return fail('the stress does not begin', system);
    running = true;
    progress.begin();
    trouble?.begin();
    const troubled = wait(seconds * 1000 * TROUBLED_SHARE).then(() => trouble?.stop());
    await system.phase('resting', seconds * 1000 + END_TIMEOUT_MS);
    running = false;
    await troubled;
    if (!(await system.phase('quiet', END_TIMEOUT_MS)))
      return fail('the system does not come to rest', system);
    compareSnapshots(before, await snapshot(system), labelsOf(tree).length, fail);
    const { code, signal } = await ended(system);
    if (code !== 0) fail(`ginit ended with ${signal ?? code}`);
    for (const wrong of system.summary.check(labelsOf(tree), initsOf(tree) + hostileOf(tree).length, QUOTA))
      fail(wrong);
    const left = await leftOver(system.group, LEFT_OVER_MS);
    if (left.length > 0) fail(`processes ${left.map(({ pid }) => pid).join(', ')} are left`);
  } finally {
    clearInterval(timer);
    progress.end();
    await trouble?.stop();
    system.killAll();
    for (const failure of failures) fail(failure);
  }
  return { totals: { ...system.output.totals, ...trouble?.counts }, growth: samples.judge() };
}

function ended(system) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve({ code: undefined, signal: 'no end within its bound' }), END_TIMEOUT_MS);
  });
  return Promise.race([system.finished, late]).finally(() => clearTimeout(timer));
}

/** Starts the system once more, and kills ginit in the middle: nothing may stay. */
async function killGinit(config, machines, fail) {
  const system = new System(config, undefined, machines?.headArgs);
  try {
    if (!(await system.phase('running', START_TIMEOUT_MS))) return fail('the system does not start', system);
    await wait(KILL_AFTER_MS);
    const before = system.processes().length;
    if (before < 3) fail(`only ${before} processes are there to be killed`);
    system.signal('SIGKILL');
    const left = await leftOver(system.group, LEFT_OVER_MS);
    if (left.length > 0) fail(`${left.length} of ${before} processes outlive ginit by ${LEFT_OVER_MS} ms`);
  } finally {
    system.killAll();
  }
}

function figuresOf(result, failures) {
  const { totals = {}, growth } = result ?? {};
  const { made = 0, settled = 0, ...counts } = totals;
  const medians = Object.entries(growth?.medians ?? {}).flatMap(([key, { first, last }]) => [
    [`${key}First`, Math.round(first)],
    [`${key}Last`, Math.round(last)],
  ]);
  return { calls: made, settled, ...counts, ...Object.fromEntries(medians), failures };
}

function printFailures(failures, seed) {
  for (const failure of failures.slice(0, FAILURES_SHOWN)) {
    console.error(`stress: seed ${seed}: ${typeof failure === 'string' ? failure : JSON.stringify(failure)}`);
  }
  const more = failures.length - FAILURES_SHOWN;
  if (more > 0) console.error(`stress: and ${more} failures more`);
}

/** Runs a plan; settles with the number of failures. */
export async function runStress(plan, { seconds, kill, log }) {
  const { seed, components } = plan.tree;
  const directory = mkdtempSync(join(tmpdir(), 'ginit-stress-'));
  const config = join(directory, 'stress.xml');
  const failures = [];
  const fail = (failure, system) => {
    failures.push(failure);
    for (const line of system?.output.recent ?? []) console.error(`stress:   ${line}`);
  };
  const sharedBefore = sharedMemoryFiles();
  let result;
  let machines;
  console.log(`stress: seed ${seed}, plan ${plan.hash}, ${components} components, ${seconds} s`);
  try {
    writeFileSync(config, configOf(plan, seconds));
    machines = await startMachines(plan.tree, directory, log, fail);
    result = await stress(config, { tree: plan.tree, seconds, log, machines }, fail);
    for (const grown of result?.growth.grown ?? []) fail(grown);
    if (kill) await killGinit(config, machines, fail);
    if (machines) await stopMachines(machines, fail);
    const shared = sharedMemoryFiles().filter((name) => !sharedBefore.includes(name));
    if (shared.length > 0) fail(`left in shared memory: ${shared.join(', ')}`);
  } finally {
    machines?.killAll();
    rmSync(directory, { recursive: true, force: true });
  }
  printFailures(failures, seed);
  const figures = figuresOf(result, failures.length);
  console.log(JSON.stringify({ stress: plan.hash, seed, seconds, components, figures }));
  return failures.length;
}
