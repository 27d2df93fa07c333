import { formatPosition } from '@ginit/core/config';
import { type HostGrant, type InitConfig, isHolder } from '../model/index.ts';
import type { CheckFindings } from './findings.ts';
import { mayMeet, type StartPlace, startsOf } from './scope.ts';

/**
 * Tells which file the path of a grant leads to. Two paths that lead to one file have the same
 * identity.
 */
export type FileIdentity = (path: string) => string;

/** A grant of a file, and the start node that has it. */
interface FileGrant {
  readonly grant: HostGrant;
  readonly place: StartPlace;
}

/**
 * Reports files that several components are granted. Two components that write to one file destroy
 * it; a component that reads it meanwhile sees half-written content.
 */
export function checkSharedFiles(config: InitConfig, identity: FileIdentity, findings: CheckFindings): void {
  const byFile = new Map<string, FileGrant[]>();
  for (const place of startsOf(config)) {
    // An init does nothing with what it is granted but to grant it to its children.
    // One on another machine is granted files of that machine.
    if (isHolder(place.start.binary.name) || place.start.place) continue;
    for (const grant of place.start.host) {
      if (grant.kind !== 'file') continue;
      const file = identity(grant.path);
      byFile.set(file, [...(byFile.get(file) ?? []), { grant, place }]);
    }
  }
  for (const grants of byFile.values()) {
    const writers = grants.filter(({ grant }) => grant.access === 'rw');
    for (const [index, { grant, place }] of writers.entries()) {
      const other = writers.slice(0, index).find((writer) => mayMeet(writer.place, place));
      if (other) findings.error(alsoWritten(grant, other), grant.position);
    }
    for (const { grant, place } of grants.filter((one) => one.grant.access === 'ro')) {
      const other = writers.find((writer) => mayMeet(writer.place, place));
      if (!other) continue;
      findings.warn(`${alsoWritten(grant, other)}: what is read may be half written`, grant.position);
    }
  }
}

function alsoWritten({ path }: HostGrant, { grant, place }: FileGrant): string {
  const spelled = grant.path === path ? '' : `, as "${grant.path}"`;
  const where = formatPosition(grant.position);
  return `start node "${place.path}" may write to the same file "${path}"${spelled} (${where})`;
}
