/**
 * Where the sockets of running systems are: `/tmp/ginit-UID/NAME.sock`, whatever HOME, TMPDIR or
 * the directory of the project are, so that every command of the user looks in the same place, and
 * because the kernel bounds the path of a socket. The directory belongs to the user alone.
 */
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { basename, isAbsolute, join } from 'node:path';

/** The variable that puts the sockets elsewhere, for hosts where `/tmp` is not everybody's. */
export const DIRECTORY_VARIABLE = 'GINIT_RUNTIME_DIR';
/** The kernel allows 107 bytes, and other systems 103. */
const PATH_BYTES_MAX = 99;
/** The longest name of a system. */
export const SYSTEM_NAME_MAX = 32;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const SUFFIX = '.sock';
/** What stands behind the name of a socket that is being made. */
const MADE_SUFFIX_BYTES = '.1234567890'.length;
const PRIVATE_DIRECTORY = 0o700;
const OTHERS = 0o077;
/** Characters of the hash that tells two configs of one name apart. */
const HASH_CHARACTERS = 6;

/** The user's directory of sockets, by the environment of a process. */
export function controlDirectory(
  env: NodeJS.ProcessEnv = process.env,
  uid: number = process.getuid?.() ?? 0,
): string {
  const own = env[DIRECTORY_VARIABLE];
  return own === undefined || own === '' ? `/tmp/ginit-${uid}` : own;
}

/** The path of a system's socket. */
export function socketPath(directory: string, name: string): string {
  return join(directory, `${name}${SUFFIX}`);
}

/** The name of the system whose socket has this file name; `undefined` if it is another file. */
export function nameOfSocket(file: string): string | undefined {
  const name = file.endsWith(SUFFIX) ? file.slice(0, -SUFFIX.length) : '';
  return systemNameProblem(name) === undefined ? name : undefined;
}

/** Says why a system cannot have this name; `undefined` if it can. */
export function systemNameProblem(name: string): string | undefined {
  if (name.length > SYSTEM_NAME_MAX) return `it is longer than ${SYSTEM_NAME_MAX} characters`;
  if (!NAME.test(name))
    return 'it has letters, digits, "_", "-" and "." only, and begins with none of the last two';
  return undefined;
}

/**
 * The names that a system gets by itself, in the order of preference: that of its config without
 * the ending, and the same with a hash of the config's whole path, in case a config elsewhere has
 * the same name.
 */
export function defaultNames(configPath: string): readonly [string, string] {
  const plain = basename(configPath)
    .replace(/\.[^.]*$/, '')
    .replaceAll(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^[-.]+/, '');
  const hash = createHash('sha256').update(configPath).digest('hex').slice(0, HASH_CHARACTERS);
  const name = plain === '' ? 'system' : plain;
  const short = name.slice(0, SYSTEM_NAME_MAX - HASH_CHARACTERS - 1);
  const apart = `${short}-${hash}`;
  return [name.length > SYSTEM_NAME_MAX ? apart : name, apart];
}

/**
 * Says why no socket can be in this directory, in words for people; `undefined` if one can. With
 * `make` the directory is made if it is not there.
 */
export function directoryProblem(directory: string, make = false): string | undefined {
  if (!isAbsolute(directory)) return `${DIRECTORY_VARIABLE} is no absolute path`;
  const longest = Buffer.byteLength(socketPath(directory, 'n'.repeat(SYSTEM_NAME_MAX))) + MADE_SUFFIX_BYTES;
  if (longest > PATH_BYTES_MAX) {
    const room = PATH_BYTES_MAX - (longest - Buffer.byteLength(directory));
    return `${directory} is too long for sockets (${room} bytes at most): set ${DIRECTORY_VARIABLE} to a shorter one`;
  }
  try {
    if (make) mkdirSync(directory, { mode: PRIVATE_DIRECTORY, recursive: true });
    const status = lstatSync(directory);
    if (!status.isDirectory()) return `${directory} is no directory`;
    const uid = process.getuid?.();
    if (uid !== undefined && status.uid !== uid) return `${directory} belongs to another user`;
    if (make && (status.mode & OTHERS) !== 0) chmodSync(directory, PRIVATE_DIRECTORY);
    return undefined;
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
    return `${directory} cannot be used (${String(code)})`;
  }
}
