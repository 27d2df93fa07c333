/** Every benchmark by its name. */
import { block } from './block/benchmark.mjs';
import { bulk } from './bulk/benchmark.mjs';
import { cache } from './cache/benchmark.mjs';
import { cluster } from './cluster/benchmark.mjs';
import { fs } from './fs/benchmark.mjs';
import { fuse } from './fuse/benchmark.mjs';
import { reconfigure } from './reconfigure/benchmark.mjs';
import { rpc } from './rpc/benchmark.mjs';
import { signal } from './signal/benchmark.mjs';
import { spawn } from './spawn/benchmark.mjs';
import { trace } from './trace/benchmark.mjs';
import { vmm } from './vmm/benchmark.mjs';

export const BENCHMARKS = [
  rpc,
  bulk,
  signal,
  spawn,
  reconfigure,
  block,
  cache,
  cluster,
  fs,
  fuse,
  trace,
  vmm,
];
