/** Access to the host for a driver: what its start node grants, and nothing else. */
import { RpcError } from '../../errors.ts';
import type { HostAccess, HostErrorCode, HostFile } from '../../runtime/host-access.ts';
import type { HostGrantFact } from '../../session/host-grant.ts';
import type { MemoryPins } from './memory-pins.ts';
import { openNodeFile } from './node-file.ts';

/** A grant and what it leads to. */
export interface GrantWithTarget {
  readonly grant: HostGrantFact;
  readonly target: string;
}

/** The granted part of the host, over Node's own API. */
export class GrantedHost implements HostAccess {
  readonly #grants: readonly GrantWithTarget[];
  readonly #pins: MemoryPins | undefined;
  readonly #lack: (text: string) => void;

  /**
   * `pins` where the memory that is read and written may be taken back; `lack` takes what of a grant cannot be had here, in words
   * for people.
   */
  constructor(
    grants: readonly GrantWithTarget[],
    pins?: MemoryPins,
    lack: (text: string) => void = () => {},
  ) {
    this.#pins = pins;
    this.#lack = lack;
    this.#grants = grants;
  }

  async openFile(path: string, access: 'ro' | 'rw'): Promise<HostFile> {
    const found = this.#grants.find(({ grant }) => grant.kind === 'file' && grant.path === path);
    const code: HostErrorCode = 'NotGranted';
    if (!found) {
      throw new RpcError(
        code,
        `<host> grants no file "${path}" (add <file path="${path}" access="${access}"/>)`,
      );
    }
    if (access === 'rw' && found.grant.access === 'ro') {
      throw new RpcError(code, `<host> grants the file "${path}" for reading only (access="ro")`);
    }
    const file = await openNodeFile(found.target, path, access, this.#lack);
    return this.#pins ? new PinningFile(file, this.#pins) : file;
  }
}

/** A file that pins the memory it reads into and writes from. */
class PinningFile implements HostFile {
  readonly #file: HostFile;
  readonly #pins: MemoryPins;

  constructor(file: HostFile, pins: MemoryPins) {
    this.#file = file;
    this.#pins = pins;
  }

  get writeable(): boolean {
    return this.#file.writeable;
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  read(into: Uint8Array, position: number): Promise<void> {
    return this.#pins.during(into, () => this.#file.read(into, position));
  }

  write(from: Uint8Array, position: number): Promise<void> {
    return this.#pins.during(from, () => this.#file.write(from, position));
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
