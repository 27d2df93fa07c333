/** The engine of a machine: the one that its config names, or the one that its guest needs. */
import type { HostGrantFact } from '@ginit/core/host';
import { readKernelFile } from '../linux/kernel-file.ts';
import { QEMU_PROCESSORS_MAX } from '../engine/qemu/qemu-engine.ts';
import { MEMORY_BOUNDS, inMebibytes } from './memory.ts';
import type { VmmConfig } from './schema.ts';

/** What a guest needs of its engine. */
export interface GuestNeeds {
  /** Its Linux kernel, if it starts with one. */
  readonly kernel: Uint8Array | undefined;
  readonly processors: number;
  /** The quota that is free for it. */
  readonly freeBytes: number;
}

/** An engine, with the reason, for people; QEMU with its program. */
export type EngineChoice =
  | { readonly name: 'v86'; readonly why: string }
  | { readonly name: 'qemu'; readonly why: string; readonly program: string };

/** How QEMU is granted, and installed. */
const GRANT = '<host> <program path="/usr/bin/qemu-system-x86_64"/> </host>';
export const QEMU_INSTALL = 'Debian: apt install qemu-system-x86';

/** What is asked of the engine without a Linux kernel. */
const SMALL = { is64Bits: false, packing: 'none' } as const;
const V86_PROCESSORS_MAX = 1;
const BY_CONFIG = 'the config wants it';

/** Chooses one. Throws a `ConfigError` if there is none for this guest. */
export function chooseEngine(
  config: VmmConfig,
  needs: GuestNeeds,
  grants: readonly HostGrantFact[],
): EngineChoice {
  const { engine, $node: node } = config;
  const program = grants.find(({ kind }) => kind === 'program')?.path;
  checkProcessors(config);
  if (engine === 'v86') return { name: 'v86', why: BY_CONFIG };
  const wanted = engine === 'qemu' ? BY_CONFIG : beyondV86(needs, program !== undefined);
  if (wanted === undefined) {
    return { name: 'v86', why: 'the guest needs no more than its one processor of 32 bits' };
  }
  if (program !== undefined) return { name: 'qemu', why: wanted, program };
  throw node.errorAt(
    `the machine needs the engine qemu (${wanted}), whose program is not granted: give the start node ${GRANT} (${QEMU_INSTALL})`,
    'engine',
  );
}

function checkProcessors({ engine, $children: { cpu } }: VmmConfig): void {
  const most = engine === 'v86' ? V86_PROCESSORS_MAX : QEMU_PROCESSORS_MAX;
  if (cpu === undefined || cpu.count <= most) return;
  const more = engine === 'v86' ? `; the engine qemu has up to ${QEMU_PROCESSORS_MAX}` : '';
  const name = engine === 'v86' ? 'v86' : 'qemu';
  throw cpu.$node.errorAt(
    `the engine ${name} has ${most} processor${most > 1 ? 's at most' : ''}${more}`,
    'count',
  );
}

/** Why v86 does not suffice; nothing if it does. */
function beyondV86({ kernel, processors, freeBytes }: GuestNeeds, hasQemu: boolean): string | undefined {
  const { is64Bits, packing } = kernel ? readKernelFile(kernel) : SMALL;
  if (is64Bits) return 'its kernel is one for 64 bits';
  // A kernel that v86 cannot run is its own error, if there is nothing that can. QEMU leaves it to
  // the kernel to unpack itself.
  if (hasQemu && typeof packing === 'object') return `its kernel is ${packing.unknown}`;
  if (processors > V86_PROCESSORS_MAX) return `it has ${processors} processors`;
  // Without QEMU, the guest has less memory than there is, and runs.
  const { most } = MEMORY_BOUNDS.v86;
  if (hasQemu && freeBytes > most)
    return `it has ${inMebibytes(freeBytes)} MiB, more than the ${inMebibytes(most)} of v86`;
  return undefined;
}
