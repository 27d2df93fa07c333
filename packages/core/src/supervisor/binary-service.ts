/**
 * Binaries: what may be started. A binary is a ROM session of core's that came along a route, like any other. CPU starts the
 * one that it is handed, so a component can start only what it was given; no name in a call means anything by itself. What
 * stands behind the session is the list of files that were checked; loading them stays Node's.
 */
import { implementationOf } from '../capability/capability.ts';
import { RpcError } from '../errors.ts';
import { Rom } from '../session/rom.ts';

/**
 * What a start of it takes, because of what it imports. A binary with modules of Node that reach the host is a driver: who
 * starts it must have something of the host to grant. If no start node trusts this starter with it, the kernel must hold it
 * to what it is granted: else a component could have the host used by starting a driver with a config of its own.
 */
export type BinaryTakes = 'nothing' | 'grant' | 'grant and jail';

/** What core must know of a binary to start it. */
export interface ResolvedBinary {
  readonly moduleUrl: string;
  /**
   * Real, absolute paths of every file that Node reads to load the component: its whole import graph as it was checked,
   * `package.json` files included. Of our runtime only what components import themselves is among them. Where nothing is
   * confined by it (the simulator) there may be none.
   */
  readonly files: readonly string[];
  readonly takes: BinaryTakes;
  /** It only hands its host grants on to what it starts, as init does, and uses none of them. */
  readonly handsOn?: boolean;
}

/**
 * Finds a binary by the name that the config gives it, for whoever asks, by its label: what a start takes may depend on that.
 * The command that runs core supplies it.
 */
export type FindBinary = (name: string, starter: string) => ResolvedBinary | undefined;

/** A session of a binary: it has no content to read, but core knows it again. */
export class BinaryRom {
  readonly binary: ResolvedBinary;

  constructor(binary: ResolvedBinary) {
    this.binary = binary;
  }

  dataspace(): null {
    return null;
  }

  update(): boolean {
    return false;
  }

  /** It never changes. */
  setHandler(handler: Disposable): void {
    handler[Symbol.dispose]();
  }
}

/** The binary behind a ROM session that a component has passed. Throws `NO_BINARY` if it is somebody else's content. */
export function binaryOf(rom: object): ResolvedBinary {
  const implementation = implementationOf(Rom, rom);
  if (implementation instanceof BinaryRom) return implementation.binary;
  throw new RpcError(
    'NO_BINARY',
    'the ROM session is no binary of core: content of a ROM server is not started',
  );
}
