/**
 * Random operations, one after the other, on a File_system session and on a directory of the host:
 * results, error codes, and what is there in the end must agree. The host's kernel says what POSIX
 * means.
 */
import * as host from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileSystemClient } from '@ginit/core/file_system';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryFileSystem } from './file-system-memory.ts';
import { CARRIER_KINDS, codeOf, withClient } from './file-system-system.ts';

interface Step {
  readonly operation: string;
  readonly path: string;
  readonly other: string;
  readonly number: number;
}

const CODES: Readonly<Record<string, string>> = {
  ENOENT: 'Lookup_failed',
  EEXIST: 'Node_already_exists',
  ENOTEMPTY: 'Not_empty',
  ENOTDIR: 'Not_a_directory',
  EISDIR: 'Is_a_directory',
  EINVAL: 'Invalid_argument',
  ELOOP: 'Too_many_symlinks',
};

function hostCode(call: () => void): string {
  try {
    call();
    return 'succeeded';
  } catch (error) {
    const errno = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return CODES[errno] ?? errno;
  }
}

const bytes = (number: number): Uint8Array => new Uint8Array((number * 37) % 9000).fill((number % 250) + 1);

async function onClient(client: FileSystemClient, step: Step): Promise<void> {
  const { operation, path, other, number } = step;
  const write = { mode: 'write-only' } as const;
  switch (operation) {
    case 'write':
      return client.withFile(path, { ...write, create: 'if-missing' }, (file) =>
        file.write(number, bytes(number)),
      );
    case 'append':
      return client.withFile(path, { ...write, create: 'if-missing' }, (file) => file.append(bytes(number)));
    case 'new':
      return client.withFile(path, { ...write, create: 'new' }, async () => undefined);
    case 'truncate':
      return client.truncate(path, number);
    case 'mkdir':
      return client.mkdir(path);
    case 'rmdir':
      return client.rmdir(path);
    case 'unlink':
      return client.unlink(path);
    case 'rename':
      return client.rename(path, other);
    case 'link':
      return client.link(path, other);
    default:
      return client.symlink(path, `..${other}`);
  }
}

/** The host's errors where it is stricter than POSIX, or ours are finer. */
function sameCode(step: Step, ours: string, theirs: string): boolean {
  if (ours === theirs) return true;
  // link(2) refuses directories with EPERM, whose meaning it shares with others.
  return step.operation === 'link' && theirs === 'EPERM' && ours === 'Is_a_directory';
}

function onHost(root: string, { operation, path, other, number }: Step): void {
  const at = join(root, path);
  const { O_WRONLY, O_CREAT, O_EXCL, O_APPEND } = host.constants;
  const opened = (flags: number, use: (file: number) => void): void => {
    const file = host.openSync(at, flags, 0o644);
    try {
      use(file);
    } finally {
      host.closeSync(file);
    }
  };
  switch (operation) {
    case 'write':
      return opened(O_WRONLY | O_CREAT, (file) => host.writeSync(file, bytes(number), 0, undefined, number));
    case 'append':
      return opened(O_WRONLY | O_CREAT | O_APPEND, (file) => host.writeSync(file, bytes(number)));
    case 'new':
      return opened(O_WRONLY | O_CREAT | O_EXCL, () => undefined);
    case 'truncate':
      return host.truncateSync(at, number);
    case 'mkdir':
      return void host.mkdirSync(at);
    case 'rmdir':
      return host.rmdirSync(at);
    case 'unlink':
      return host.unlinkSync(at);
    case 'rename':
      return host.renameSync(at, join(root, other));
    case 'link':
      return host.linkSync(at, join(root, other));
    default:
      return host.symlinkSync(`..${other}`, at);
  }
}

/** Everything below a directory, by path: type, links, contents. */
function hostTree(root: string, path = '/', into = new Map<string, string>()): Map<string, string> {
  for (const name of host.readdirSync(join(root, path)).toSorted()) {
    const inner = `${path}${name}`;
    const at = join(root, inner);
    const status = host.lstatSync(at);
    if (status.isSymbolicLink()) into.set(inner, `symlink ${host.readlinkSync(at)}`);
    else if (status.isFile()) into.set(inner, `file ${status.nlink} ${host.readFileSync(at, 'hex')}`);
    else {
      into.set(inner, 'directory');
      hostTree(root, `${inner}/`, into);
    }
  }
  return into;
}

async function clientTree(client: FileSystemClient, path = '/', into = new Map<string, string>()) {
  const entries = [];
  for await (const entry of client.readdir(path)) entries.push(entry);
  for (const { name, type } of entries.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
    const inner = `${path}${name}`;
    const { links } = await client.lstat(inner);
    if (type === 'symlink') into.set(inner, `symlink ${await client.readlink(inner)}`);
    else if (type === 'file') {
      const content = Buffer.from(await client.readFile(inner, 2 ** 20)).toString('hex');
      into.set(inner, `file ${links} ${content}`);
    } else {
      into.set(inner, 'directory');
      await clientTree(client, `${inner}/`, into);
    }
  }
  return into;
}

/**
 * Everything stands in /r, so that no `..` of a symbolic link leads out of the host's directory.
 */
const somePath = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 3 })
  .map((components) => `/r/${components.join('/')}`);
const someStep: fc.Arbitrary<Step> = fc.record({
  operation: fc.constantFrom(
    'write',
    'append',
    'new',
    'truncate',
    'mkdir',
    'mkdir',
    'rmdir',
    'unlink',
    'rename',
    'link',
    'symlink',
  ),
  path: somePath,
  other: somePath,
  number: fc.nat(10_000),
});

describe.each(CARRIER_KINDS)('over a carrier that is %s', (kind) => {
  test('sessions do what the file system of the host does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(someStep, { minLength: 1, maxLength: 60 }), async (steps) => {
        const root = host.mkdtempSync(join(tmpdir(), 'ginit-model-'));
        try {
          await withClient(kind, new MemoryFileSystem(), async (client) => {
            host.mkdirSync(join(root, 'r'));
            await client.mkdir('/r');
            for (const step of steps) {
              const ours = await codeOf(onClient(client, step).then(() => undefined));
              const theirs = hostCode(() => onHost(root, step));
              expect(sameCode(step, ours, theirs), `${JSON.stringify(step)}: ${ours}, host ${theirs}`).toBe(
                true,
              );
            }
            expect(await clientTree(client)).toEqual(hostTree(root));
            await client.removeAll('/r');
          });
        } finally {
          host.rmSync(root, { recursive: true });
        }
      }),
      { numRuns: 60 },
    );
  });
});
