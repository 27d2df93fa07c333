/**
 * Binaries: the code that may be started. A binary is a ROM session of the supervisor that came
 * along a route like any other session. CPU starts the binary that it is handed, so a component can
 * start only code that it was given; no name in a call means anything by itself. Behind the session
 * stands the list of files that were checked; Node loads them.
 */
import { implementationOf } from '../capability/capability.ts';
import { RpcError } from '../errors.ts';
import { Rom } from '../session/rom.ts';

/**
 * The demands of a start of this binary, which follow from its imports. A binary that imports
 * modules of Node which reach the host is a driver, so its starter must have some grant of the host
 * to give. If no start node trusts the starter with this driver, the kernel must hold the driver to
 * its grants by a jail: otherwise a component could have the host used by starting a driver with a
 * config of its own.
 */
export type BinaryTakes = 'nothing' | 'grant' | 'grant and jail';

/** A file of a component's code, for another machine. */
export interface TravellingFile {
  /** Relative to the root of the tree that travels; no part of it is `..`. */
  readonly path: string;
  /** SHA-256 of its content, in hexadecimal digits. */
  readonly hash: string;
  readonly bytes: number;
}

/**
 * The code of a component for another machine: the whole import graph, but for our runtime, of
 * which every machine has its own.
 */
export interface TravellingCode {
  /** The path of the module to import. */
  readonly entry: string;
  readonly files: readonly TravellingFile[];
  /**
   * Where packages are found: a link at a path of the tree leads to another one, or to our runtime
   * if `to` is missing.
   */
  readonly links: readonly { readonly at: string; readonly to?: string | undefined }[];
  /** The platform that its native files are for, if it has any. */
  readonly native: string | undefined;
  /** The content of the file with this hash, unless it has changed since. */
  read(hash: string): Uint8Array | undefined;
}

/** Everything that the supervisor must know of a binary to start it. */
export interface ResolvedBinary {
  readonly moduleUrl: string;
  /**
   * Real, absolute paths of every file that Node reads to load the component: its whole import
   * graph as it was checked, `package.json` files included. Of our runtime it has only the files
   * that components import themselves. It may be empty where no jail uses it (in the simulator).
   */
  readonly files: readonly string[];
  readonly takes: BinaryTakes;
  /**
   * Whether the component only hands its host grants on to what it starts, as init does, and uses
   * none of them itself.
   */
  readonly handsOn?: boolean;
  /** Its code, for another machine. */
  readonly code?: (() => TravellingCode) | undefined;
}

/**
 * Finds a binary by the name that the config gives it. `starter` is the label of the component that
 * asks, because what a start demands may depend on it. The `ginit` command supplies this function.
 */
export type FindBinary = (name: string, starter: string) => ResolvedBinary | undefined;

/**
 * A session of a binary. It has no content to read; the supervisor recognises it when it comes back
 * in a start.
 */
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

  /** Does nothing, because a binary never changes. */
  setHandler(handler: Disposable): void {
    handler[Symbol.dispose]();
  }
}

/**
 * The binary behind a ROM session that a component has passed. Throws `NO_BINARY` if the session is
 * one of another ROM server.
 */
export function binaryOf(rom: object): ResolvedBinary {
  const implementation = implementationOf(Rom, rom);
  if (implementation instanceof BinaryRom) return implementation.binary;
  throw new RpcError(
    'NO_BINARY',
    'the ROM session is no binary of core: content of a ROM server is not started',
  );
}
