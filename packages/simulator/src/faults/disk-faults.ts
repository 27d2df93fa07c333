/** Faults of disks: each strikes the next request that it can, on one of the disks in use. */
import type { Ailment, DiskOperation } from '../disk/disk-ailments.ts';
import type { Random } from '../order/random.ts';
import type { Simulation } from '../world/simulation.ts';

/** The kinds of disk faults. */
export type DiskFault =
  | { readonly kind: 'io-error'; readonly of: DiskOperation }
  | { readonly kind: 'misdirect'; readonly of: 'read' | 'write' }
  | { readonly kind: 'corrupt'; readonly at: 'read' | 'rest' };

/** The reports of a disk fault: its description, and the call when it has struck. */
export interface DiskFaultHost {
  readonly tell: (text: string) => void;
  readonly done: () => void;
}

/** Gives a fault to a disk. The result describes it; `undefined` if there is no disk. */
export function befallDisk(
  fault: DiskFault,
  { disks }: Pick<Simulation, 'disks'>,
  random: Random,
  { tell, done }: DiskFaultHost,
): string | undefined {
  const all = [...disks.all];
  const [path, disk] = all[random.below(all.length)] ?? [];
  if (path === undefined || !disk) return undefined;
  const came = (what: string): void => {
    tell(`${what} of ${path}`);
    done();
  };
  if (!disk.ailing.befall(ailmentOf(fault, random, came))) return undefined;
  return `${describe(fault)} of ${path}`;
}

function ailmentOf(fault: DiskFault, random: Random, done: (what: string) => void): Ailment {
  switch (fault.kind) {
    case 'io-error':
      return { kind: fault.kind, of: fault.of, random, done };
    case 'misdirect':
      return { kind: fault.kind, of: fault.of, random, done };
    case 'corrupt':
      return { kind: fault.kind, at: fault.at, random, done };
  }
}

function describe(fault: DiskFault): string {
  switch (fault.kind) {
    case 'io-error':
      return `the next ${fault.of} will fail`;
    case 'misdirect':
      return `the next ${fault.of} will be misdirected`;
    case 'corrupt':
      return fault.at === 'rest' ? 'a bit will flip where it is stored' : 'a bit will flip on its way';
  }
}
