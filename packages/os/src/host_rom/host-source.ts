/** Where the content of one module comes from. */
import { type Env, hasCode, RpcError } from '@ginit/core';
import type { HostDirectory, HostFile } from '@ginit/core/host';
import { ROM_BYTES_MAX } from '../lib/charged-rom.ts';

/** A file of the host that may come, go and change. */
export interface HostSource {
  /**
   * A text that is another one once the file has changed, as far as that can be seen from outside.
   */
  mark(): Promise<string>;
  /** The whole file; `undefined` if it is not there. */
  read(): Promise<Uint8Array | undefined>;
}

/** A file in a granted directory. */
export function fileInDirectory(directory: HostDirectory, name: string): HostSource {
  return {
    mark: async () => {
      try {
        const { kind, sizeBytes, modifiedMs } = await directory.status(name);
        return `${kind} ${sizeBytes} ${modifiedMs}`;
      } catch (error) {
        return absentOr(error, 'absent');
      }
    },
    read: () => readWhole(() => directory.openFile(name, 'ro')),
  };
}

/** A file that is granted by itself. The host tells its size only, so it is read each time. */
export function grantedFile(host: Env['host'], path: string): HostSource {
  const read = (): Promise<Uint8Array | undefined> => readWhole(() => host.openFile(path, 'ro'));
  return { mark: async () => new TextDecoder('latin1').decode(await read()), read };
}

async function readWhole(open: () => Promise<HostFile>): Promise<Uint8Array | undefined> {
  let file: HostFile;
  try {
    file = await open();
  } catch (error) {
    return absentOr(error, undefined);
  }
  try {
    if (file.sizeBytes > ROM_BYTES_MAX) {
      throw new RpcError('LimitExceeded', `more than ${ROM_BYTES_MAX} bytes are no ROM module`);
    }
    const content = new Uint8Array(file.sizeBytes);
    await file.read(content, 0);
    return content;
  } finally {
    await file.close();
  }
}

function absentOr<Absent>(error: unknown, absent: Absent): Absent {
  if (hasCode(error, 'NotFound')) return absent;
  throw error;
}
