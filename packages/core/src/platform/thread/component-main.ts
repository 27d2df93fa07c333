/**
 * The first module of a component's thread: it imports the component, joins it to the supervisor,
 * and takes further channels from the domain process. Everything that the component sees of the
 * world is made here.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { guardLoading } from 'sharedarraybuffer-polyfill/load-guard';
// Imported from the index, because nearly every component imports that. So it is loaded with the
// runtime, and loading the component itself is short.
import { Component } from '../../index.ts';
import { hostKindsOf } from '../../runtime/component.ts';
import { warnOfUnreleased } from '../../capability/unreleased.ts';
import { wordsAt } from '../../memory/place.ts';
import type { HostPlatform } from '../../runtime/host-access.ts';
import { ComponentRuntime } from '../../runtime/component-runtime.ts';
import { asyncContexts } from '../host/async-contexts.ts';
import { monotonicUs } from '../host/monotonic.ts';
import { threadNumber } from '../host/thread-use.ts';
import { guardZlibStreams, zlibIsLoaded } from '../host/zlib-streams.ts';
import { Collector, takeCollect } from './memory/collector.ts';
import { ComponentOutput } from './component-output.ts';
import { compiledRuntime } from '../wire/compiled-runtime.ts';
import { Doorbell } from '../wire/doorbell.ts';
import { watchHost } from './host-watch.ts';
import { KeeperClient } from './memory/keeper-client.ts';
// Imported now, because the process may lock itself up, and then its files could not be read.
import { nodeHost as makeNodeHost } from './host-access/node-host.ts';
import { boundProcess } from './memory/memory-bound.ts';
import { applyScheduling } from './scheduling.ts';
import { ThreadChannels } from './thread-channels.ts';
import { ThreadLoop } from './thread-loop.ts';
import {
  type CompiledNotice,
  SUPERVISOR_SLOT,
  type WorkerBirth,
  type WorkerInput,
  type WorkerNotice,
} from '../wire/worker-protocol.ts';

async function loadComponent(moduleUrl: string): Promise<Component> {
  const module: unknown = await import(moduleUrl);
  const exported: unknown =
    typeof module === 'object' && module !== null ? Reflect.get(module, 'default') : undefined;
  const found = Component.from(exported);
  if (!found) throw new TypeError('the module has no default export made by component()');
  return found;
}

/** A thread that was started ahead gets its input later, once. */
async function takeInput(birth: WorkerBirth): Promise<WorkerInput> {
  if (!('waitAt' in birth)) return birth;
  const compiled = birth.giveCompiled ? compiledRuntime() : undefined;
  if (compiled) birth.waitAt.postMessage({ compiled } satisfies CompiledNotice, []);
  const input = await new Promise<WorkerInput>((resolve) => birth.waitAt.once('message', resolve));
  birth.waitAt.close();
  return input;
}

const output = new ComponentOutput();
output.install();

/**
 * Watches the use of Node's modules by the component. A driver may use all of Node, so all modules
 * are watched; for other components only the modules that are loaded anyway.
 */
function watch({ watch: what, grants }: WorkerInput): void {
  if (what === 'nothing') return;
  const audit = what === 'everything';
  watchHost(audit ? { used: (use) => tell({ used: use }) } : {}, audit || grants.length > 0);
}

// The domain process waits for these notices: it does not terminate a thread that is still loading
// (see `ComponentThread`).
const tell = (notice: WorkerNotice): void => parentPort?.postMessage(notice, []);
tell('runtime');
// Asked now, because the process may lock itself up.
const thread = threadNumber();
let endLog = (ended: () => void): string[] => {
  ended();
  return [];
};
// If the thread crashes or exits in the middle of a turn, its last log lines go to the domain
// process.
process.on('exit', () => {
  let early: readonly string[] = [];
  const late = endLog(() => (early = output.end()));
  if (early.length + late.length > 0) tell({ lastLines: [...early, ...late] });
});
// The domain process is our own code, so the data that it hands over has this type.
const input = await takeInput(workerData as WorkerBirth);
guardLoading(wordsAt(input.life));
const unbounded = input.processBytes === undefined ? undefined : boundProcess(input.processBytes);
if (unbounded !== undefined) tell({ lack: unbounded });
for (const lack of applyScheduling(input.scheduling)) tell({ lack });
const collect = takeCollect();
const collector = collect && new Collector(collect);
watch(input);
const component = await loadComponent(input.moduleUrl);
tell('component');
// The host's answers to a driver come through the event loop, so that must go on.
const driver = input.grants.length > 0 && hostKindsOf(component.manifest).length > 0;
const live = component.manifest.loop === 'live' || driver;
if (!live && zlibIsLoaded()) {
  const text = "zlib's asynchronous functions and streams need loop: 'live' in the component's manifest";
  guardZlibStreams(() => new Error(`${text}; the synchronous ones do not`));
}
const loop = new ThreadLoop(new Doorbell(input.doorbell, input.census, input.life), live, () =>
  collector?.idle(),
);
const keeper = input.keeper && new KeeperClient(input.keeper, collector);
const channels = new ThreadChannels(loop, input.census, keeper);
let nodeHost: HostPlatform | undefined;
const runtime = new ComponentRuntime(component, channels.port(input.supervisorPort, SUPERVISOR_SLOT), {
  schedule: queueMicrotask,
  delay: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  crash: (error) =>
    setImmediate(() => {
      throw error;
    }),
  complain: (text) => console.error(text),
  output: (take) => output.attach(take),
  host: {
    grants: input.grants,
    platform: () => (nodeHost ??= makeNodeHost(keeper?.pins, (lack) => tell({ lack }))),
  },
  // Loaded when it is first asked for, because most threads end without that.
  thread,
  heapUsed: () => process.getBuiltinModule('node:v8').getHeapStatistics().used_heap_size,
  ...(keeper ? { memory: keeper } : {}),
  trace: { nowUs: monotonicUs, contexts: asyncContexts },
  sleep: (done, timeoutMs) => loop.sleepUntil(done, timeoutMs),
});
endLog = (ended) => runtime.endLog(ended);
warnOfUnreleased((text) => console.error(`Warning: ${text}`));
channels.listen((peer, carrier) => runtime.addChannel(peer, carrier));
loop.start();
