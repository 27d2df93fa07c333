/**
 * Host grants: what of the host a config lets a driver touch. A grant is a capability that core has made of an entry of the
 * checked root config; who holds it may hand it to a child, whole or for reading only. What it leads to on the host stays with
 * core and the platform: no path in a call means anything by itself.
 */
import { rpc, rpcInterface } from '../interface/interface.ts';
import { oneOf, record, type ShapeType, text } from '../interface/shapes.ts';

/** What can be granted. A driver says in its manifest which of these it asks for. */
export const HOST_GRANT_KINDS = [
  'file',
  'directory',
  'device',
  'program',
  'tcp-listen',
  'tcp-connect',
  'unix-listen',
  'unix-connect',
] as const;

/** A grant, as the config spells it; the driver names the thing by the same spelling. */
export const hostGrant = record({
  kind: oneOf(HOST_GRANT_KINDS),
  /** Path, or HOST:PORT. */
  path: text(4096),
  access: oneOf(['ro', 'rw']),
});
export type HostGrantFact = ShapeType<typeof hostGrant>;
export type HostGrantKind = HostGrantFact['kind'];

/** A grant as a capability. */
export const HostGrant = rpcInterface('Host_grant', {
  /** What it grants. */
  fact: rpc<() => HostGrantFact>({ args: [], result: hostGrant }),
});

/** The grant as a config spells it, for people. */
export function grantText({ kind, path, access }: HostGrantFact): string {
  switch (kind) {
    case 'file':
    case 'directory':
    case 'device':
      return `<${kind} path="${path}" access="${access}"/>`;
    case 'program':
      return `<program path="${path}"/>`;
    case 'tcp-listen':
    case 'tcp-connect':
    case 'unix-listen':
    case 'unix-connect': {
      const [element, attribute] = kind.split('-');
      return `<${element} ${attribute}="${path}"/>`;
    }
  }
}

/** Whether who holds `held` holds `wanted` as well. */
export function grantCovers(held: HostGrantFact, wanted: HostGrantFact): boolean {
  if (held.kind !== wanted.kind || held.path !== wanted.path) return false;
  return held.access === 'rw' || wanted.access === 'ro';
}
