/**
 * The options that a thread of `ginit sim` gets, and the system that it makes of them. Functions
 * cannot be sent to a thread, so the options are plain data.
 */
import type { RunOptions, SimulatedSystem } from '@ginit/simulator';
import { initBinary, type NamedBinaries, startable } from '../binaries.ts';
import { stockModule } from '../stock.ts';
import { formatSummary } from '../summary.ts';

/** A system and how it is simulated, as plain data. */
export interface SeedOptions
  extends RunOptions,
    Pick<SimulatedSystem, 'config' | 'grants' | 'quota' | 'mayExit'> {
  /** The binaries that the config names to be started. */
  readonly binaries: NamedBinaries;
  /**
   * Whether instances share their modules; that is safe if no component keeps state in its modules.
   */
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
    // Init keeps no state in its modules.
    sharesModules: (moduleUrl) => shareModules || moduleUrl === stockModule('init'),
    summaryLines: formatSummary,
  };
}
