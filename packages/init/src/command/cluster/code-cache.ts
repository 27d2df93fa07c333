/**
 * The code that has come from other machines: files by the hashes of their contents, and trees of
 * links to them, one for each component's code. A tree has the shape that it has where it comes
 * from, so Node finds in it what it found there; our own runtime is this machine's. Before anything
 * of it runs the import graph is checked here as it was there.
 *
 *     DIRECTORY/files/HASH        contents
 *     DIRECTORY/trees/HASH/...    hard links to them; the hash is that of the list
 *
 * The directory has a bound. What is not in use goes first that was used longest ago; what is in
 * use stays.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { link, mkdir, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { RpcError } from '@ginit/core';
import type { CodeInUse, CodeList, CodeStore, FetchFile } from '@ginit/core/supervisor';
import { ComponentImports, CORE } from '../component-imports.ts';

const HASH = /^[0-9a-f]{64}$/;
/** The longest path of a file in a tree. */
const PATH_MAX = 1024;
/** The bound of the files of one component. */
const CODE_BYTES_MAX = 512 * 1024 * 1024;
/** How much a cache keeps, unless it is in use. */
export const CACHE_BYTES = 1024 * 1024 * 1024;
/** The name under which trees find our runtime. */
const RUNTIME = /(?:^|\/)node_modules\/@ginit\/core$/;

interface UsedTree {
  users: number;
  readonly hashes: readonly string[];
}

/** A cache of code in a directory of this user's. */
export class CodeCache implements CodeStore {
  readonly #directory: string;
  readonly #bytesMax: number;
  readonly #used = new Map<string, UsedTree>();
  /** Preparations go on one after the other: they share files. */
  #working: Promise<unknown> = Promise.resolve();

  constructor(directory: string, bytesMax = CACHE_BYTES) {
    this.#directory = directory;
    this.#bytesMax = bytesMax;
  }

  prepare(list: CodeList, fetch: FetchFile): Promise<CodeInUse> {
    const preparing = this.#working.then(() => this.#prepare(list, fetch));
    this.#working = preparing.catch(() => {});
    return preparing;
  }

  async #prepare(list: CodeList, fetch: FetchFile): Promise<CodeInUse> {
    refuseMalformed(list);
    const name = createHash('sha256').update(JSON.stringify(list)).digest('hex');
    const tree = join(this.#directory, 'trees', name);
    const release = this.#use(name, list);
    try {
      await mkdir(join(this.#directory, 'files'), { recursive: true, mode: 0o700 });
      await mkdir(join(this.#directory, 'trees'), { recursive: true, mode: 0o700 });
      for (const { hash, bytes } of list.files) await this.#have(hash, bytes, fetch);
      // What nobody uses is made anew: somebody may have changed it, and links cost little.
      await this.#lay(tree, list, { shared: (this.#used.get(name)?.users ?? 0) > 1 });
      await this.#shrink();
      const root = realpathSync.native(tree);
      const entry = pathToFileURL(join(root, list.entry)).href;
      const imports = new ComponentImports(root);
      const forbidden = imports.forbidden(entry);
      if (forbidden?.broken)
        throw new RpcError('NO_BINARY', `its code cannot be used here: ${forbidden.what}`);
      return { binary: imports.binary(entry), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #use(name: string, list: CodeList): () => void {
    const used = this.#used.get(name) ?? { users: 0, hashes: list.files.map(({ hash }) => hash) };
    used.users++;
    this.#used.set(name, used);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      used.users--;
      if (used.users === 0) this.#used.delete(name);
    };
  }

  #fileOf(hash: string): string {
    return join(this.#directory, 'files', hash);
  }

  /** Sees to it that a file is there with the content that its hash says. */
  async #have(hash: string, bytes: number, fetch: FetchFile): Promise<void> {
    const path = this.#fileOf(hash);
    if (await hasHash(path, hash)) {
      const now = new Date();
      await utimes(path, now, now);
      return;
    }
    const content = await fetch({ hash, bytes });
    const is = createHash('sha256').update(content).digest('hex');
    if (is !== hash)
      throw new RpcError('NO_BINARY', `a file of the component has the hash ${is}, and not ${hash}`);
    const whole = `${path}.${randomBytes(8).toString('hex')}`;
    await writeFile(whole, content, { mode: 0o400, flag: 'wx' });
    await rename(whole, path);
  }

  async #lay(tree: string, { files, links }: CodeList, { shared }: { shared: boolean }): Promise<void> {
    const fresh = `${tree}.${randomBytes(8).toString('hex')}`;
    for (const { path, hash } of files) {
      const at = join(fresh, path);
      await mkdir(dirname(at), { recursive: true, mode: 0o700 });
      await link(this.#fileOf(hash), at);
    }
    for (const { at, to } of links) {
      const path = join(fresh, at);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await symlink(to === undefined ? CORE : relative(dirname(path), join(fresh, to)), path);
    }
    // A component that runs from a tree may still import something of it.
    if (shared && existsSync(tree)) {
      await rm(fresh, { recursive: true });
      return;
    }
    await rm(tree, { recursive: true, force: true });
    await rename(fresh, tree);
  }

  /** Removes trees that nobody uses, and then files that are in no tree. */
  async #shrink(): Promise<void> {
    const directory = join(this.#directory, 'files');
    const files = await Promise.all(
      (await readdir(directory)).map(async (name) => {
        const { size, mtimeMs } = await stat(join(directory, name));
        return { name, size, mtimeMs };
      }),
    );
    let bytes = files.reduce((sum, { size }) => sum + size, 0);
    if (bytes <= this.#bytesMax) return;
    const trees = await readdir(join(this.#directory, 'trees'));
    for (const name of trees)
      if (!this.#used.has(name))
        await rm(join(this.#directory, 'trees', name), { recursive: true, force: true });
    const inUse = new Set([...this.#used.values()].flatMap(({ hashes }) => hashes));
    for (const { name, size } of files.toSorted((one, other) => one.mtimeMs - other.mtimeMs)) {
      if (bytes <= this.#bytesMax) return;
      if (inUse.has(name)) continue;
      await rm(join(directory, name), { force: true });
      bytes -= size;
    }
  }
}

async function hasHash(path: string, hash: string): Promise<boolean> {
  const { readFile } = await import('node:fs/promises');
  try {
    return (
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex') === hash
    );
  } catch {
    return false;
  }
}

/** A list from outside is looked at before a path of it is used. */
function refuseMalformed({ entry, files, links }: CodeList): void {
  const wrong = (what: string): never => {
    throw new RpcError('NO_BINARY', `the list of the component's files is malformed: ${what}`);
  };
  const paths = new Set<string>();
  let bytes = 0;
  for (const file of files) {
    if (!isInside(file.path)) wrong('a path leads out of its tree');
    if (!HASH.test(file.hash)) wrong('a hash is none');
    if (paths.has(file.path)) wrong('two files have one path');
    paths.add(file.path);
    bytes += file.bytes;
    if (bytes > CODE_BYTES_MAX) wrong(`more than ${CODE_BYTES_MAX} bytes`);
  }
  if (!paths.has(entry)) wrong('the module to start is not in it');
  const names = new Set<string>();
  for (const { at, to } of links) {
    if (!isInside(at) || (to !== undefined && !isInside(to))) wrong('a link leads out of its tree');
    if (to === undefined && !RUNTIME.test(at)) wrong('a link to the runtime has another name');
    names.add(at);
  }
  // Nothing lies below a link: it would be written to where the link leads.
  for (const path of [...paths, ...names]) {
    for (let above = dirname(path); above !== '.'; above = dirname(above))
      if (names.has(above) || paths.has(above)) wrong('a file lies below another one');
  }
  for (const name of names) if (paths.has(name)) wrong('a link has the path of a file');
}

function isInside(path: string): boolean {
  if (path === '' || path.length > PATH_MAX || path.includes('\0') || path.includes('\\')) return false;
  if (path.startsWith('/') || normalize(path) !== path) return false;
  const parts = path.split(sep);
  return !parts.includes('..') && !parts.includes('.') && !parts.includes('');
}
