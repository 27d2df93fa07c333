/** Access to the host for a driver: what its start node grants, and nothing else. */
import { RpcError } from '../../errors.ts';
import type { HostAccess, HostErrorCode, HostFile } from '../../runtime/host-access.ts';
import type { HostGrantFact } from '../../session/host-grant.ts';
import { openNodeFile } from './node-file.ts';

/** A grant and what it leads to. */
export interface GrantWithTarget {
  readonly grant: HostGrantFact;
  readonly target: string;
}

/** The granted part of the host, over Node's own API. */
export class GrantedHost implements HostAccess {
  readonly #grants: readonly GrantWithTarget[];

  constructor(grants: readonly GrantWithTarget[]) {
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
    return openNodeFile(found.target, path, access);
  }
}
