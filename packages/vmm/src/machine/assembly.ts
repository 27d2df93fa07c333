/**
 * How the machine of an engine is put together: each engine does that in its own way, from the same
 * parts.
 */
import type { Env, RpcError } from '@ginit/core';
import type { TransportState } from '../devices/virtio/pci-transport.ts';
import type { Engine, EngineEvents, EngineMetrics, Firmware } from '../engine/engine.ts';
import type { OpenDisk } from './disks.ts';
import type { Drives } from './media.ts';
import type { OpenShare, ShareEvents } from './shared-folders.ts';
import type { VmmConfig } from './schema.ts';

/** What all engines tell whoever runs the machine. */
export interface AssemblyEvents extends EngineEvents {
  /** The guest has broken a disk: for each disk, who is told of the reason. */
  readonly broken: (disk: OpenDisk) => (reason: string) => void;
  /** A request has failed: for each disk, who is told of the error. */
  readonly diskFailed: (disk: OpenDisk) => (error: RpcError) => void;
  /** A request of a disk is held, because it has failed for a reason that can be mended. */
  readonly held: (label: string, code: string) => void;
  /** For each shared folder, who is told of its troubles. */
  readonly ofShare: (share: OpenShare) => ShareEvents;
}

/** What a machine is put together from. */
export interface AssemblyParts {
  readonly env: Pick<Env, 'quota' | 'ram' | 'timer'>;
  readonly config: VmmConfig;
  readonly disks: readonly OpenDisk[];
  readonly drives: Drives;
  readonly shares: readonly OpenShare[];
  /** The kernel, if it is started without a BIOS: Linux, or one by the Multiboot specification. */
  readonly kernel: Uint8Array | undefined;
  readonly multiboot: Uint8Array | undefined;
  readonly initrd: Uint8Array | undefined;
  /** The BIOS, if there is no kernel. */
  readonly firmware: Firmware | undefined;
  readonly events: AssemblyEvents;
}

/** A machine whose processors do not run yet. */
export interface Assembly {
  readonly engine: Engine;
  /** Its processors and memory, for people. */
  readonly about: string;
  /** How many processors, and what they are, if a state depends on that. */
  readonly processors: string;
  readonly memoryBytes: number;
  /** Puts the kernel in place, at the start and after a reset. */
  boot(): void;
  /** The machine was reset, and so are the devices that are not the engine's own. */
  reset(): void;
  /** The state of the devices that are not the engine's own. */
  readonly devices: readonly TransportState[];
  /**
   * These go on as they were, in a machine whose memory is as it was. Throws `StateError` if there
   * are not as many of them.
   */
  restoreDevices(states: readonly TransportState[]): void;
  /** What it has done, with its own devices; nothing if it does not answer any more. */
  metrics(): Promise<EngineMetrics | undefined>;
  /** Whether one more may be put together while this one stands still: there is memory for both. */
  readonly standsBeside: boolean;
  /**
   * Puts one more together, of the same parts; this one stands still, or is closed. What lies in
   * the drives now is in those of the new one.
   */
  again(): Promise<Assembly>;
}

/** The command line of the kernel. */
export function commandLineOf({ $children: { cmdline } }: VmmConfig): string {
  return cmdline?.$node.text.trim() ?? '';
}
