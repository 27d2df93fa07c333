/** What a thread of `ginit sim` is told, and the system that it makes of that: functions do not travel between threads. */
import type { RunOptions, SimulatedSystem } from '@ginit/simulator';
import { initBinary, type NamedBinaries, startable } from '../binaries.ts';
import { stockModule } from '../stock.ts';
import { formatSummary } from '../summary.ts';

/** A system and how it is simulated, as plain data. */
export interface SeedOptions
  extends RunOptions,
    Pick<SimulatedSystem, 'config' | 'grants' | 'quota' | 'mayExit'> {
  /** What the config names to be started. */
  readonly binaries: NamedBinaries;
  /** Instances share their modules: none of them keeps anything there. */
  readonly shareModules: boolean;
}

/** The system that these options describe. */
export function systemOf({ binaries, shareModules, ...options }: SeedOptions): SimulatedSystem {
  const { config, grants, quota, mayExit } = options;
  return {
    config,
    grants,
    quota,
    mayExit,
    binary: initBinary(),
    findBinary: startable(binaries),
    // Init is known to keep nothing in its modules.
    sharesModules: (moduleUrl) => shareModules || moduleUrl === stockModule('init'),
    summaryLines: formatSummary,
  };
}
