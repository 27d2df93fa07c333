import { formatPosition } from '@ginit/core/config';
import type { HostGrant, InitConfig } from '../model/index.ts';
import type { CheckFindings } from './findings.ts';
import { isInit, startsOf } from './scope.ts';

/**
 * Tells which file the path of a grant leads to. Two paths that lead to one file have the same
 * identity.
 */
export type FileIdentity = (path: string) => string;

/** A grant of a file, and the path of the start node that has it. */
interface FileGrant {
  readonly grant: HostGrant;
  readonly owner: string;
}

/**
 * Reports files that several components are granted. Two components that write to one file destroy
 * it; a component that reads it meanwhile sees half-written content.
 */
export function checkSharedFiles(config: InitConfig, identity: FileIdentity, findings: CheckFindings): void {
  const byFile = new Map<string, FileGrant[]>();
  for (const { path: owner, start } of startsOf(config)) {
    // An init does nothing with what it is granted but to grant it to its children.
    if (isInit(start)) continue;
    for (const grant of start.host) {
      if (grant.kind !== 'file') continue;
      const file = identity(grant.path);
      byFile.set(file, [...(byFile.get(file) ?? []), { grant, owner }]);
    }
  }
  for (const grants of byFile.values()) {
    const [writer, ...further] = grants.filter(({ grant }) => grant.access === 'rw');
    if (!writer) continue;
    for (const { grant } of further) findings.error(alsoWritten(grant, writer), grant.position);
    for (const { grant } of grants.filter((one) => one.grant.access === 'ro'))
      findings.warn(`${alsoWritten(grant, writer)}: what is read may be half written`, grant.position);
  }
}

function alsoWritten({ path }: HostGrant, { grant, owner }: FileGrant): string {
  const spelled = grant.path === path ? '' : `, as "${grant.path}"`;
  const place = formatPosition(grant.position);
  return `start node "${owner}" may write to the same file "${path}"${spelled} (${place})`;
}
