import type { Reroute } from './changes.ts';

/** The new place of a session in words, with the label that its server sees. */
export function whereText(to: NonNullable<Reroute['to']>): string {
  switch (to.kind) {
    case 'config':
      return 'its own <config>';
    case 'local':
      return `a service of its parent's own (label "${to.label}")`;
    case 'parent':
      return `the parent (label "${to.label}")`;
    case 'child':
      return `"${to.child}" (label "${to.label}")`;
  }
}
