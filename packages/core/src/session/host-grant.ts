/**
 * Host grants: the things of the host that a config lets a driver touch. A grant is a capability
 * that the supervisor has made of an entry of the checked root config. Whoever holds it may hand it
 * to a child, whole or for reading only. The path or socket that it leads to stays with the
 * supervisor and the platform: no path in a call means anything by itself.
 */
import { rpc, rpcInterface } from '../interface/interface.ts';
import { oneOf, record, type ShapeType, text } from '../interface/shapes.ts';

/** The kinds of things that can be granted. A driver's manifest says which of these it asks for. */
export const HOST_GRANT_KINDS = [
  'file',
  'directory',
  'device',
  'program',
  'mount',
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
/** A grant in the spelling of the config: `kind`, `path` (or HOST:PORT) and `access`. */
export type HostGrantFact = ShapeType<typeof hostGrant>;
/** One of `HOST_GRANT_KINDS`. */
export type HostGrantKind = HostGrantFact['kind'];

/** A grant as a capability. */
export const HostGrant = rpcInterface('Host_grant', {
  /** The grant in the spelling of the config. */
  fact: rpc<() => HostGrantFact>({ args: [], result: hostGrant }),
});

/** The grant as an element of a config, for messages. */
export function grantText({ kind, path, access }: HostGrantFact): string {
  switch (kind) {
    case 'file':
    case 'directory':
    case 'device':
      return `<${kind} path="${path}" access="${access}"/>`;
    case 'program':
    case 'mount':
      return `<${kind} path="${path}"/>`;
    case 'tcp-listen':
    case 'tcp-connect':
    case 'unix-listen':
    case 'unix-connect': {
      const [element, attribute] = kind.split('-');
      return `<${element} ${attribute}="${path}"/>`;
    }
  }
}

/** Whether a holder of `held` may use or hand on `wanted`: the same thing, with no more access. */
export function grantCovers(held: HostGrantFact, wanted: HostGrantFact): boolean {
  if (held.kind !== wanted.kind || held.path !== wanted.path) return false;
  return held.access === 'rw' || wanted.access === 'ro';
}
