/**
 * The things that a jailed process may reach, as plain data: files, ports and sockets. The
 * supervisor makes the rules, and the process locks itself up by them.
 */
import { list, oneOf, record, type ShapeType, text } from '../../interface/shapes.ts';
import { LIMITS } from '../../limits.ts';
import { ABI, FILE_ACCESS, PORT_ACCESS } from './landlock.ts';

const PATH_BYTES = 8192;

/** A grant with the path or HOST:PORT that it leads to. */
export const jailGrant = record({
  kind: oneOf([
    'file',
    'directory',
    'device',
    'tcp-listen',
    'tcp-connect',
    'unix-listen',
    'unix-connect',
    'program',
    'mount',
  ]),
  access: oneOf(['ro', 'rw']),
  target: text(PATH_BYTES),
});
export type JailGrant = ShapeType<typeof jailGrant>;

/** The rules of one process. */
export const jailRules = record({
  /**
   * The files of its code, and the files at which Node looks to load them: each is readable by
   * itself.
   */
  code: list(text(PATH_BYTES), LIMITS.jailFiles),
  grants: list(jailGrant, LIMITS.jailGrants),
});
export type JailRules = ShapeType<typeof jailRules>;

/** The kernel's access to a path. The path need not exist, unless it is `needed`. */
export interface PathRule {
  readonly path: string;
  readonly access: number;
  readonly needed: boolean;
}

export interface PortRule {
  readonly port: number;
  readonly access: number;
}

const READ = FILE_ACCESS.readFile;
const WRITE = FILE_ACCESS.readFile | FILE_ACCESS.writeFile | FILE_ACCESS.truncate;
const READ_BELOW = FILE_ACCESS.readFile | FILE_ACCESS.readDirectory;
/** Links are left out: `env.host` makes none, and they lead others out of the directory. */
const WRITE_BELOW =
  WRITE |
  FILE_ACCESS.readDirectory |
  FILE_ACCESS.removeDirectory |
  FILE_ACCESS.removeFile |
  FILE_ACCESS.makeDirectory |
  FILE_ACCESS.makeFile |
  FILE_ACCESS.moveBetweenDirectories;
/**
 * A socket is made in its directory. Removing an old socket with its name could only be allowed for
 * all files there and below, so the old one is removed before the process is locked up.
 */
const LISTEN_IN = FILE_ACCESS.makeSocket;

/** The rules for files and directories. A socket to listen on is a matter of its directory. */
export function pathRules({ code, grants }: JailRules): PathRule[] {
  const rules = code.map((path) => ({ path, access: READ, needed: false }));
  for (const grant of grants) {
    const rule = pathRule(grant);
    if (rule) rules.push({ needed: true, ...rule });
  }
  return rules;
}

function pathRule({ kind, access, target }: JailGrant): { path: string; access: number } | undefined {
  const writes = access === 'rw';
  switch (kind) {
    case 'file':
      return { path: target, access: writes ? WRITE : READ };
    case 'directory':
      return { path: target, access: writes ? WRITE_BELOW : READ_BELOW };
    case 'device':
      return { path: target, access: FILE_ACCESS.deviceControl | (writes ? WRITE : READ) };
    case 'unix-listen':
      return { path: parentOf(target), access: LISTEN_IN };
    case 'unix-connect':
      return { path: target, access: FILE_ACCESS.useSocket };
    case 'tcp-listen':
    case 'tcp-connect':
    case 'program':
    case 'mount':
      return undefined;
  }
}

const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

/** The rules for ports. The kernel bounds no more of an address than that. */
export function portRules({ grants }: JailRules): PortRule[] {
  return grants
    .filter(({ kind }) => kind === 'tcp-listen' || kind === 'tcp-connect')
    .map(({ kind, target }) => ({
      port: Number(target.slice(target.lastIndexOf(':') + 1)),
      access: kind === 'tcp-listen' ? PORT_ACCESS.bind : PORT_ACCESS.connect,
    }));
}

/**
 * Why there can be no jail for these grants with this ABI of Landlock, in words for people;
 * `undefined` if there can.
 */
export function grantsLack(grants: readonly Pick<JailGrant, 'kind'>[], abi: number): string | undefined {
  const has = (...kinds: readonly JailGrant['kind'][]): boolean =>
    grants.some(({ kind }) => kinds.includes(kind));
  const needs = (least: number, what: string): string | undefined =>
    abi < least ? `Landlock ABI ${abi}: ${what} (that takes ABI ${least})` : undefined;
  if (has('program')) return 'a jailed process starts no programs: <program> is refused';
  if (has('mount')) return 'a jailed process mounts nothing: <mount> is refused';
  return (
    (has('tcp-listen', 'tcp-connect') ? needs(ABI.ports, 'TCP ports cannot be bound') : undefined) ??
    (has('device') ? needs(ABI.deviceControl, 'controls of devices cannot be bound') : undefined) ??
    (has('unix-connect') || (has('unix-listen') && has('tcp-connect'))
      ? needs(ABI.namedSockets, 'it cannot be bound which Unix sockets are connected to')
      : undefined)
  );
}
