import { type ElementSchema, schemaFromData, validName } from '@ginit/core/config';
import { HOST_GRANT_KINDS, type HostGrantKind } from '@ginit/core/host';

/** The facts that the checker needs to know of a component: its manifest, with services by name. */
export interface ManifestFacts {
  readonly provides: readonly string[];
  /** Services that it cannot do without, beyond those that every component has. */
  readonly requires: readonly string[];
  /** Services that it may open. */
  readonly mayRequire?: readonly string[] | undefined;
  /** Kinds of host grants that it needs. */
  readonly host: readonly HostGrantKind[];
  /** Kinds that it may use. */
  readonly mayHost?: readonly HostGrantKind[] | undefined;
  readonly configSchema?: ElementSchema | undefined;
}

/**
 * The facts of children by their path from the outermost init, for example `disk` or `sub -> disk`.
 */
export type ManifestsByPath = ReadonlyMap<string, ManifestFacts>;

const LIST_LENGTH_MAX = 100;

/**
 * Makes facts of the plain form of a manifest, which somebody else's code may have written. Throws
 * an `Error` that says what is wrong with it.
 */
export function manifestFactsFromData(data: unknown): ManifestFacts {
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    throw new Error('manifest: not an object');
  const fields: Readonly<Record<string, unknown>> = Object.fromEntries(Object.entries(data));
  const schema = fields['configSchema'];
  return {
    provides: namesOf(fields, 'provides'),
    requires: namesOf(fields, 'requires'),
    mayRequire: namesOf(fields, 'mayRequire'),
    host: kindsOf(fields, 'host'),
    mayHost: kindsOf(fields, 'mayHost'),
    configSchema: schema === undefined ? undefined : schemaFromData(schema),
  };
}

function namesOf(fields: Readonly<Record<string, unknown>>, key: string): string[] {
  return listOf(fields, key).map((name) => {
    if (typeof name !== 'string' || !validName(name))
      throw new Error(`manifest.${key}: not a service's name`);
    return name;
  });
}

function kindsOf(fields: Readonly<Record<string, unknown>>, key: string): HostGrantKind[] {
  return listOf(fields, key).map((kind) => {
    const known = HOST_GRANT_KINDS.find((one) => one === kind);
    if (known === undefined) throw new Error(`manifest.${key}: unknown kind of grant`);
    return known;
  });
}

function listOf(fields: Readonly<Record<string, unknown>>, key: string): readonly unknown[] {
  const list = fields[key] ?? [];
  if (!Array.isArray(list) || list.length > LIST_LENGTH_MAX)
    throw new Error(`manifest.${key}: not a short list`);
  return list;
}
