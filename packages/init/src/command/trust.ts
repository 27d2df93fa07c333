/**
 * Records which start nodes of a config let their components have modules of Node that reach the
 * host. That trust belongs to a start node and not to the binary, because other start nodes may run
 * the same binary. It goes to the init that runs the start node, and to the component itself,
 * should it start itself again.
 */
import { prependLabel, splitLabel } from '@ginit/core/system';
import { ROOT_LABEL } from '@ginit/core/supervisor';

/** The kind of trust: `allowed` by `<allow>`, or `granted` by a grant in `<host>`. */
export type Trust = 'allowed' | 'granted';

/**
 * The trust by a key that is the label of the component that starts the binary, with the binary's
 * name behind it, as in the label of its ROM.
 */
export type TrustedBinaries = ReadonlyMap<string, Trust>;

/**
 * Notes the trust that a start node gives; `path` is as in the labels of its component (`sub ->
 * disk`).
 */
export function addTrust(known: Map<string, Trust>, path: string, binary: string, trust: Trust): void {
  const label = prependLabel(ROOT_LABEL, path);
  for (const starter of [splitLabel(label).prefix, label]) {
    const rom = prependLabel(starter, binary);
    // Another start node beside it, with the same binary, may have given more trust already.
    if (known.get(rom) !== 'allowed') known.set(rom, trust);
  }
}
