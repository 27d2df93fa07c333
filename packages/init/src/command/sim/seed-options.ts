/**
 * The options that a thread of `ginit sim` gets, and the system that it makes of them. Functions
 * cannot be sent to a thread, so the options are plain data.
 */
import type { SystemConfig } from '@ginit/core/supervisor';
import type { RunOptions, SimulatedSystem } from '@ginit/simulator';
import { initBinary, type NamedBinaries, startable } from '../binaries.ts';
import { stockModule } from '../stock.ts';
import { formatSummary } from '../summary.ts';

/** A checked config, as plain data. */
export interface PlainConfig extends Pick<SystemConfig, 'config' | 'grants'> {
  /** The binaries that the config names to be started. */
  readonly binaries: NamedBinaries;
}

/** A system and how it is simulated, as plain data. */
export interface SeedOptions extends RunOptions, PlainConfig, Pick<SimulatedSystem, 'quota' | 'mayExit'> {
  /** The configs that the fault plan may give the running system. */
  readonly configs: readonly PlainConfig[];
  /**
   * Whether instances share their modules; that is safe if no component keeps state in its modules.
   */
  readonly shareModules: boolean;
}

/** The system that these options describe. */
export function systemOf({ shareModules, ...options }: SeedOptions): SimulatedSystem {
  const { configs, quota, mayExit } = options;
  return {
    ...systemConfigOf(options),
    configs: configs.map(systemConfigOf),
    quota,
    mayExit,
    binary: initBinary(),
    // Init keeps no state in its modules.
    sharesModules: (moduleUrl) => shareModules || moduleUrl === stockModule('init'),
    summaryLines: formatSummary,
  };
}

function systemConfigOf({ config, grants, binaries }: PlainConfig): SystemConfig {
  return { config, grants, findBinary: startable(binaries) };
}
