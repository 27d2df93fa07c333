/**
 * Which start nodes of a config let their components have modules of Node that reach the host. That
 * trust belongs to a start node, and not to the binary, which others may start as well: it goes to the
 * init that runs the start node, and to the component itself, should it start itself again.
 */
import { prependLabel, splitLabel } from '@ginit/core/system';
import { ROOT_LABEL } from '@ginit/core/supervisor';

/** By `<allow>` a component may have them anyway; by `<host>` with a grant. */
export type Trust = 'allowed' | 'granted';

/** By the label of who starts the binary, and the binary's name behind it, as in the label of its ROM. */
export type TrustedBinaries = ReadonlyMap<string, Trust>;

/** Notes what a start node says; `path` is as in the labels of its component (`sub -> disk`). */
export function addTrust(known: Map<string, Trust>, path: string, binary: string, trust: Trust): void {
  const label = prependLabel(ROOT_LABEL, path);
  for (const starter of [splitLabel(label).prefix, label]) {
    const rom = prependLabel(starter, binary);
    // A start node beside it may be more generous.
    if (known.get(rom) !== 'allowed') known.set(rom, trust);
  }
}
