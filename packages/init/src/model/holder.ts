import type { ConfigNode } from '@ginit/core/config';
import { readInitConfig } from './read.ts';
import { isHolder } from './holder-name.ts';
import { initStartCost } from './start-cost.ts';
import type { InitConfig, Quota, StartNode } from './init-config.ts';
import { PRESERVE_DEFAULT } from './quota.ts';
import { readSequenceConfig } from './sequence.ts';
import type { InitConfigReading } from './read.ts';

/**
 * Reads the start nodes that the config of a component holds, for checks: some stock components run
 * children of their own, and each has its own way to write them down.
 */

/** The children that one start node will have. */
export interface HeldChildren extends Pick<InitConfigReading, 'errors' | 'warnings'> {
  /**
   * Children that are there at the same time are in one config. Those of different configs never
   * meet: a sequence has a config for each step.
   */
  readonly configs: readonly InitConfig[];
}

/**
 * The children of the component of a start node; `undefined` if it has none, or if its config is
 * not given inline.
 */
export function heldBy(start: StartNode): HeldChildren | undefined {
  const { binary, config } = start;
  if (!isHolder(binary.name) || config === undefined) return undefined;
  const known = KNOWN.get(start) ?? readHeld(start, config);
  KNOWN.set(start, known);
  return known;
}

/** What was read of start nodes: several parts of a check ask for it. */
const KNOWN = new WeakMap<StartNode, HeldChildren>();

function readHeld(start: StartNode, config: ConfigNode): HeldChildren {
  const { binary } = start;
  if (binary.name === 'sequence') {
    const { steps, errors, warnings } = readSequenceConfig(config, leftFor(start));
    return { configs: steps, errors, warnings };
  }
  const { config: held, errors, warnings } = readInitConfig(config);
  return { configs: [held], errors, warnings };
}

/** The config of a nested init, if it is given inline and free of errors. */
export function nestedConfigOf(start: StartNode): InitConfig | undefined {
  const held = start.binary.name === 'init' ? heldBy(start) : undefined;
  return held?.errors.length === 0 ? held.configs[0] : undefined;
}

/** What a component that keeps the usual for itself can give to its children. */
function leftFor(start: StartNode): Quota {
  const own = initStartCost(start);
  return {
    ram: Math.max(0, start.ram - own.ram - PRESERVE_DEFAULT.ram),
    caps: Math.max(0, start.caps - own.caps - PRESERVE_DEFAULT.caps),
  };
}
