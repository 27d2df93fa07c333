/**
 * vfs over memory of its own, and over another server, does what that server does by itself: the
 * same operations end with the same results, and leave the same tree.
 */
import { component, type Env, RpcError } from '@ginit/core';
import { FileSystemClient } from '@ginit/core/file_system';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { laboratory } from '../../../test/harness/laboratory.ts';
import { propertyRuns } from '../../../test/property-runs.ts';
import ramFs from '../src/ram_fs/main.ts';
import vfs from '../src/vfs/main.ts';

const server = (name: string): string =>
  `<start name="${name}" ram="16M"> <binary name="ram_fs"/> <provides> <service name="File_system"/> </provides>
    <config> <default-policy writeable="yes"/> </config> </start>`;
const SYSTEM = `${server('plain')} ${server('below')}
  <start name="vfs" ram="16M" caps="300"> <binary name="vfs"/>
    <provides> <service name="File_system"/> </provides>
    <config> <vfs> <dir name="ram"> <ram/> </dir> <dir name="fs"> <fs/> </dir> </vfs>
      <policy label_suffix="ram" root="/ram" writeable="yes"/>
      <policy label_suffix="fs" root="/fs" writeable="yes"/> </config>
    <route> <service name="File_system"> <child name="below"/> </service>
      <any-service> <parent/> </any-service> </route> </start>
  <start name="user" caps="300" ram="16M"> <binary name="user"/>
    <route> <service name="File_system" label="plain"> <child name="plain"/> </service>
      <service name="File_system"> <child name="vfs"/> </service>
      <any-service> <parent/> </any-service> </route> </start>`;

const name = fc.constantFrom('a', 'b', 'c');
const path = fc.array(name, { minLength: 1, maxLength: 2 }).map((names) => `/${names.join('/')}`);
const step = fc.record({
  operation: fc.constantFrom(
    ...(['write', 'append', 'new', 'truncate', 'mkdir', 'rmdir', 'unlink', 'rename'] as const),
    ...(['link', 'symlink', 'read', 'chmod'] as const),
  ),
  path,
  other: path,
  number: fc.nat(9000),
});
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** What chance does not always find. */
const USUAL: Step[] = [
  { operation: 'mkdir', path: '/a', other: '/a', number: 0 },
  { operation: 'write', path: '/a/b', other: '/a', number: 5000 },
  { operation: 'rmdir', path: '/a', other: '/a', number: 0 },
  { operation: 'link', path: '/a/b', other: '/c', number: 0 },
  { operation: 'rename', path: '/a', other: '/a/c', number: 0 },
  { operation: 'rename', path: '/a', other: '/b', number: 0 },
  { operation: 'chmod', path: '/b/b', other: '/a', number: 0o640 },
  { operation: 'symlink', path: '/b/a', other: '/c', number: 0 },
  { operation: 'read', path: '/b/a', other: '/a', number: 0 },
];

const bytes = (number: number): Uint8Array => new Uint8Array((number * 37) % 9000).fill((number % 250) + 1);

async function perform(fs: FileSystemClient, { operation, path: at, other, number }: Step): Promise<unknown> {
  const write = { mode: 'write-only' } as const;
  switch (operation) {
    case 'write':
      return fs.withFile(at, { ...write, create: 'if-missing' }, (file) => file.write(number, bytes(number)));
    case 'append':
      return fs.withFile(at, { ...write, create: 'if-missing' }, (file) => file.append(bytes(number)));
    case 'new':
      return fs.withFile(at, { ...write, create: 'new' }, async () => undefined);
    case 'truncate':
      return fs.truncate(at, number);
    case 'mkdir':
      return fs.mkdir(at);
    case 'rmdir':
      return fs.rmdir(at);
    case 'unlink':
      return fs.unlink(at);
    case 'rename':
      return fs.rename(at, other);
    case 'link':
      return fs.link(at, other);
    case 'symlink':
      return fs.symlink(at, `..${other}`);
    case 'read':
      return Buffer.from(await fs.readFile(at, 100_000)).toString('base64');
    case 'chmod':
      return changeMode(fs, at, number % 0o1000);
  }
}

async function changeMode(fs: FileSystemClient, at: string, mode: number): Promise<number> {
  const handle = await fs.session.node(at, true);
  try {
    const none = {
      uid: undefined,
      gid: undefined,
      sizeBytes: undefined,
      accessedMs: undefined,
      modifiedMs: 1000,
    };
    return (await fs.session.setAttributes(handle, { mode, ...none })).mode;
  } finally {
    await fs.session.close(handle);
  }
}

async function resultOf(fs: FileSystemClient, one: Step): Promise<string> {
  try {
    return `succeeded ${String(await perform(fs, one))}`;
  } catch (error) {
    return error instanceof RpcError ? error.code : String(error);
  }
}

/** All that is there: types, sizes, modes, links, targets and contents. */
async function picture(fs: FileSystemClient, at: string): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  for await (const { name: entry, type } of fs.readdir(at === '' ? '/' : at)) {
    const below = `${at}/${entry}`;
    const { sizeBytes, mode, links, uid, gid } = await fs.lstat(below);
    const common = [below, type, mode, links, uid, gid];
    if (type === 'directory') seen.push(common, ...(await picture(fs, below)));
    else if (type === 'symlink') seen.push([...common, await fs.readlink(below)]);
    else seen.push([...common, sizeBytes, Buffer.from(await fs.readFile(below, 100_000)).toString('base64')]);
  }
  return seen.toSorted((one, other) => (String(one) < String(other) ? -1 : 1));
}

test('the same operations end alike, and leave the same', async () => {
  let user: Env | undefined;
  const components = {
    user: component({}, (env) => {
      user = env;
    }),
    vfs,
    ram_fs: ramFs,
  };
  await laboratory(components, async (it) => {
    await it.apply(SYSTEM);
    await it.until(() => user !== undefined);
    if (!user) return;
    const plain = await FileSystemClient.connect(user, { label: 'plain' });
    const tested = [
      await FileSystemClient.connect(user, { label: 'ram' }),
      await FileSystemClient.connect(user, { label: 'fs' }),
    ];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        for (const one of steps) {
          const expected = await resultOf(plain, one);
          for (const fs of tested) expect(await resultOf(fs, one), JSON.stringify(one)).toBe(expected);
        }
        const expected = await picture(plain, '');
        for (const fs of tested) expect(await picture(fs, '')).toEqual(expected);
        for (const fs of [plain, ...tested]) {
          const names: string[] = [];
          for await (const { name: entry } of fs.readdir('/')) names.push(entry);
          for (const entry of names) await fs.removeAll(`/${entry}`);
        }
      }),
      { numRuns: propertyRuns(60), examples: [[USUAL]] },
    );
    await it.conserved();
  });
}, 60_000);
