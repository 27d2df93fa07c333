import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Vnode } from '../src/vnode/vnode.ts';
import type { Mounted } from './mounting.ts';
import { missingOf, programPath } from '../../../test/harness/programs.ts';

/** The reason why tests with discs are skipped; undefined where they can run. */
export const missingIsoTools = missingOf('genisoimage', 'xorriso');
export const missingZisofs = missingOf('genisoimage', 'mkzftree');

/** A directory for trees and discs that goes away with `dispose`. */
export class IsoWorkshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'ginit-iso-'));
  #count = 0;

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** An empty folder, to be filled with what a disc is made of. */
  tree(): string {
    this.#count += 1;
    const path = join(this.folder, `tree-${this.#count}`);
    mkdirSync(path);
    return path;
  }

  /** A disc made by genisoimage of a folder. */
  make(args: readonly string[], folder: string): Uint8Array {
    return this.#made((path) => ['genisoimage', ['-quiet', '-o', path, ...args, folder]]);
  }

  /** A disc made by xorriso of a folder. */
  xorriso(args: readonly string[], folder: string): Uint8Array {
    return this.#made((path) => ['xorriso', ['-as', 'mkisofs', '-quiet', '-o', path, ...args, folder]]);
  }

  run(name: string, args: readonly string[]): void {
    const path = programPath(name);
    if (path === undefined) throw new Error(`test: ${name} is not installed`);
    const done = spawnSync(path, args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    if (done.status !== 0) throw new Error(`${name}: ${done.stdout}${done.stderr}`);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  #made(command: (path: string) => readonly [string, readonly string[]]): Uint8Array {
    const path = join(this.folder, 'made.iso');
    rmSync(path, { force: true });
    const [name, args] = command(path);
    this.run(name, args);
    return new Uint8Array(readFileSync(path));
  }
}

/** How names and types on the disc differ from those of the folder. */
export interface Difference {
  readonly name?: (name: string) => string;
  /** Whether the disc knows links and permissions. */
  readonly unix: boolean;
}

/** Compares everything on a disc with the folder that it was made of, byte for byte. */
export async function expectSameTree(fs: Mounted, folder: string, how: Difference): Promise<number> {
  return compareDirectory(fs, fs.mount.root, folder, how);
}

async function compareDirectory(fs: Mounted, vnode: Vnode, folder: string, how: Difference): Promise<number> {
  const named = how.name ?? ((name: string): string => name);
  const expected = readdirSync(folder).filter(
    (name) => how.unix || !lstatSync(join(folder, name)).isSymbolicLink(),
  );
  const found: string[] = [];
  for (let cursor: number | undefined = 0; cursor !== undefined; ) {
    const listing = await fs.mount.list(vnode, cursor, 5);
    found.push(...listing.entries.map(({ name }) => name));
    cursor = listing.nextCursor;
  }
  const shown = found.filter((name) => name !== 'rr_moved').toSorted();
  expect(shown, folder).toEqual(expected.map(named).toSorted());
  let compared = 0;
  for (const name of expected) {
    const path = join(folder, name);
    const inner = await fs.mount.lookup(vnode, named(name));
    compared += 1 + (await compareNode(fs, inner, path, how));
    await fs.mount.release(inner);
  }
  return compared;
}

async function compareNode(fs: Mounted, vnode: Vnode, path: string, how: Difference): Promise<number> {
  const stat = lstatSync(path);
  const attributes = fs.mount.attributes(vnode);
  if (how.unix) expect(attributes.permissions, path).toBe(stat.mode & 0o7777);
  if (stat.isDirectory()) return compareDirectory(fs, vnode, path, how);
  if (stat.isSymbolicLink()) {
    expect(await fs.mount.readLink(vnode), path).toBe(readlinkSync(path));
    expect(attributes.sizeBytes, path).toBe(stat.size);
    return 0;
  }
  const bytes = new Uint8Array(attributes.sizeBytes);
  expect(await fs.mount.read(vnode, 0, bytes)).toBe(bytes.length);
  expect(Buffer.compare(bytes, readFileSync(path)), path).toBe(0);
  return 0;
}
