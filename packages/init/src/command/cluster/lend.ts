/**
 * What the owner of a machine lends of its host: a file with a `<host>`, as in a start node. A
 * component there is given what its start node grants, if the same is lent, by the same path.
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, inspectConfig, readNode } from '@ginit/core/config';
import type { ResolvedGrant } from '@ginit/core/supervisor';
import { HOST_SCHEMA, readHostGrants } from '../../model/index.ts';
import { GrantTargets } from '../grant-targets.ts';
import { systemReason } from '../system-reason.ts';

/** What is lent, or everything that is wrong with the file. */
export type Lending = { readonly lends: readonly ResolvedGrant[] } | { readonly problems: readonly string[] };

/** Reads such a file. Paths are relative to it. */
export function readLending(file: string): Lending {
  let source: Uint8Array;
  try {
    source = readFileSync(file);
  } catch (error) {
    return { problems: [`cannot read ${file}: ${systemReason(error)}`] };
  }
  try {
    const reading = inspectConfig(readNode(source, { name: file }), HOST_SCHEMA);
    const findings = { errors: [...reading.errors], warnings: [] };
    const grants = readHostGrants(reading.config, findings);
    if (findings.errors.length > 0) return { problems: findings.errors.map(({ message }) => message) };
    const targets = new GrantTargets(dirname(file));
    return { lends: grants.map((grant) => targets.resolve(grant)) };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: [error.message] };
    throw error;
  }
}
