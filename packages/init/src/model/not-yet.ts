import type { ConfigNode } from '@ginit/core/config';
import type { ConfigWarning } from '../warning.ts';

/*
 * Parts of init's configuration that are valid but that this version does not act on. Nobody shall
 * believe that their component runs on another machine when it does not, so each of these parts
 * gets a warning. When one of them is made to work, delete it here.
 */

/** Attributes of `<start>`: `node` comes with clusters. */
const INERT_IN_START = ['node'] as const;

/** The warnings for all parts of an init configuration that have no effect yet. */
export function notYetWarnings(config: ConfigNode): ConfigWarning[] {
  return config.childrenOf('start').flatMap((start) =>
    INERT_IN_START.filter((name) => start.has(name)).map((name) => ({
      text: `attribute "${name}" of <start> has no effect yet`,
      position: start.positionOf(name),
    })),
  );
}
