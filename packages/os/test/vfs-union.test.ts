/** Directories that lie over each other, against a model: plain objects in the same order. */
import { RpcError } from '@ginit/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Budget } from '@ginit/rumpfs/tmpfs-server';
import { propertyRuns } from '../../../test/property-runs.ts';
import { RamFileSystem } from '../src/lib/ram-file-system.ts';
import { type Part, partOf } from '../src/vfs/part.ts';
import { TarFiles } from '../src/vfs/tar/tar-files.ts';
import type { TarNode } from '../src/vfs/tar/tar-tree.ts';
import type { VfsNode } from '../src/vfs/tree/vfs-nodes.ts';
import { VfsTree } from '../src/vfs/tree/vfs-tree.ts';
import { VirtualDirectory } from '../src/vfs/tree/virtual-directory.ts';

/** A directory: texts are files. */
interface Tree {
  [name: string]: string | Tree;
}
interface ModelLayer {
  readonly writeable: boolean;
  readonly tree: Tree;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function ramPart(number: number, tree: Tree): Promise<Part> {
  const account = {
    allocate: async () => 1,
    free: async () => {},
    state: async () => ({ ramQuota: 2 ** 30, ramUsed: 0, capQuota: 100, capUsed: 0 }),
  };
  const files = await RamFileSystem.create(new Budget(account), () => 0);
  const fill = async (at: (typeof files)['root'], content: Tree): Promise<void> => {
    for (const [name, entry] of Object.entries(content)) {
      if (typeof entry !== 'string') await fill(await files.createDirectory(at, name), entry);
      else await files.write(await files.createFile(at, name), 0, bytesOf(entry));
    }
  };
  await fill(files.root, tree);
  return partOf(files, { number, isTree: true, close: async () => {} });
}

function tarPart(number: number, tree: Tree): Part {
  let inode = 0;
  const common = { links: 1, mode: 0o755, uid: 0, gid: 0, modifiedMs: 0, target: '' };
  const node = (entry: string | Tree): TarNode => {
    inode++;
    if (typeof entry === 'string')
      return { ...common, type: 'file', inode, content: bytesOf(entry), entries: new Map() };
    const made: TarNode = {
      ...common,
      type: 'directory',
      inode,
      content: new Uint8Array(0),
      entries: new Map(),
    };
    for (const [name, below] of Object.entries(entry)) made.entries.set(name, node(below));
    return made;
  };
  const files = new TarFiles({ root: node(tree), nodes: inode, contentBytes: 0 });
  return partOf(files, { number, isTree: true, close: async () => {} });
}

/** The layers of a merged directory, or the layer and text of a file. */
type Seen = readonly ModelLayer[] | { readonly layer: ModelLayer; readonly text: string };

function lookIn(layers: readonly ModelLayer[], name: string): Seen | undefined {
  const dirs: ModelLayer[] = [];
  for (const { writeable, tree } of layers) {
    const entry = Object.hasOwn(tree, name) ? tree[name] : undefined;
    if (entry === undefined) continue;
    if (typeof entry !== 'string') dirs.push({ writeable, tree: entry });
    else if (dirs.length === 0) return { layer: { writeable, tree }, text: entry };
  }
  return dirs.length > 0 ? dirs : undefined;
}

const isFile = (seen: Seen): seen is { readonly layer: ModelLayer; readonly text: string } => 'text' in seen;

function view(layers: readonly ModelLayer[]): Tree {
  const names = new Set(layers.flatMap(({ tree }) => Object.keys(tree)));
  const seen: Tree = {};
  for (const name of [...names].toSorted()) {
    const found = lookIn(layers, name);
    if (found) seen[name] = isFile(found) ? found.text : view(found);
  }
  return seen;
}

/** What the tree shows, by its listings; each name once. */
async function shown(tree: VfsTree, directory: VfsNode): Promise<Tree> {
  const entries: [string, string | Tree][] = [];
  for (let cursor: number | undefined = 0; cursor !== undefined; ) {
    // Small pieces, so that cursors lead from one layer to the next.
    const listing = await tree.list(directory, cursor, 2);
    for (const { name, id, type } of listing.entries) {
      const node = await tree.lookup(directory, name);
      const status = await tree.status(node);
      expect([status.inode, status.type]).toEqual([id, type]);
      if (node.type === 'directory') {
        entries.push([name, await shown(tree, node)]);
      } else {
        const into = new Uint8Array(100);
        entries.push([name, new TextDecoder().decode(into.subarray(0, await tree.read(node, 0, into)))]);
      }
      await tree.release(node);
    }
    cursor = listing.nextCursor;
  }
  expect(new Set(entries.map(([name]) => name)).size).toBe(entries.length);
  return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

interface Step {
  readonly operation: 'file' | 'mkdir' | 'unlink' | 'rmdir' | 'rename';
  readonly path: readonly string[];
  readonly to: readonly string[];
}

/** The merged directory above a path's last name. */
function parentOf(layers: readonly ModelLayer[], path: readonly string[]): readonly ModelLayer[] | string {
  let at = layers;
  for (const name of path.slice(0, -1)) {
    const seen = lookIn(at, name);
    if (!seen) return 'Lookup_failed';
    if (isFile(seen)) return 'Not_a_directory';
    at = seen;
  }
  return at;
}

/** Does a step to the model; the result is what the step ends with. */
function onModel(layers: readonly ModelLayer[], { operation, path, to }: Step): string {
  const parent = parentOf(layers, path);
  if (typeof parent === 'string') return parent;
  const name = path.at(-1) ?? '';
  const seen = lookIn(parent, name);
  switch (operation) {
    case 'file':
    case 'mkdir': {
      if (seen) return 'Node_already_exists';
      const taker = parent.find(({ writeable }) => writeable);
      if (!taker) return 'Permission_denied';
      taker.tree[name] = operation === 'file' ? 'new' : {};
      return 'succeeded';
    }
    case 'unlink':
      if (!seen) return 'Lookup_failed';
      if (!isFile(seen)) {
        // The part itself says why.
        const first = parent.find(({ tree }) => Object.hasOwn(tree, name));
        return first?.writeable ? 'Is_a_directory' : 'Permission_denied';
      }
      if (!seen.layer.writeable) return 'Permission_denied';
      delete seen.layer.tree[name];
      return 'succeeded';
    case 'rmdir': {
      if (!seen) return 'Lookup_failed';
      if (isFile(seen)) return 'Not_a_directory';
      const places = parent.filter(({ tree }) => typeof tree[name] === 'object');
      if (places.length > 1 && Object.keys(view(seen)).length > 0) return 'Not_empty';
      if (places.some(({ writeable }) => !writeable)) return 'Permission_denied';
      if (Object.keys(view(seen)).length > 0) return 'Not_empty';
      for (const { tree } of places) delete tree[name];
      return 'succeeded';
    }
    case 'rename':
      return renameInModel(layers, { parent, name, seen, to });
  }
}

function renameInModel(
  layers: readonly ModelLayer[],
  from: {
    readonly parent: readonly ModelLayer[];
    readonly name: string;
    readonly seen: Seen | undefined;
    readonly to: readonly string[];
  },
): string {
  const { parent, name, seen, to } = from;
  const toParent = parentOf(layers, to);
  if (typeof toParent === 'string') return toParent;
  const toName = to.at(-1) ?? '';
  const target = lookIn(toParent, toName);
  if (!seen) return 'Lookup_failed';
  // Directories are left to the test of the real file system below.
  if (!isFile(seen)) return 'skipped';
  if (target && !isFile(target)) return 'skipped';
  const source = parent.findIndex(({ tree }) => tree === seen.layer.tree);
  const root = layers.findIndex((layer) => holds(layer.tree, seen.layer.tree));
  const place = target ? target.layer : toParent.find(({ tree }) => holds(layers[root]?.tree, tree));
  if (!place || !holds(layers[root]?.tree, place.tree)) return 'Cross_device';
  if (!parent[source]?.writeable) return 'Permission_denied';
  if (seen.layer.tree === place.tree && name === toName) return 'succeeded';
  delete seen.layer.tree[name];
  place.tree[toName] = seen.text;
  return 'succeeded';
}

/** Whether a directory is, or is below, another one: then both are of one part. */
function holds(tree: Tree | undefined, wanted: Tree): boolean {
  if (tree === wanted) return true;
  return Object.values(tree ?? {}).some((entry) => typeof entry !== 'string' && holds(entry, wanted));
}

async function onTree(tree: VfsTree, { operation, path, to }: Step): Promise<string> {
  const held: VfsNode[] = [];
  const walk = async (way: readonly string[]): Promise<VfsNode> => {
    let at = tree.root;
    for (const name of way.slice(0, -1)) {
      at = await tree.lookup(at, name);
      held.push(at);
      if (at.type !== 'directory') throw new RpcError('Not_a_directory');
    }
    return at;
  };
  const name = path.at(-1) ?? '';
  try {
    const parent = await walk(path);
    if (operation === 'file') {
      const made = await tree.createFile(parent, name);
      held.push(made);
      await tree.write(made, 0, bytesOf('new'));
    } else if (operation === 'mkdir') {
      held.push(await tree.createDirectory(parent, name));
    } else if (operation === 'unlink') {
      await tree.unlink(parent, name);
    } else if (operation === 'rmdir') {
      await tree.removeDirectory(parent, name);
    } else {
      await tree.rename(parent, name, await walk(to), to.at(-1) ?? '', true);
    }
    return 'succeeded';
  } catch (error) {
    const code = tree.errorCode(error);
    if (!code || !(error instanceof Error)) throw error;
    return error instanceof RpcError ? error.code : code;
  } finally {
    for (const node of held) await tree.release(node);
  }
}

const name = fc.constantFrom('a', 'b', 'c');
const text = fc.constantFrom('1', '2', '3');
const { tree: randomTree } = fc.letrec<{ tree: Tree; entry: string | Tree }>((tie) => ({
  tree: fc.dictionary(name, tie('entry'), { maxKeys: 3, depthIdentifier: 'tree', noNullPrototype: true }),
  entry: fc.oneof({ depthSize: 'small', maxDepth: 3, depthIdentifier: 'tree' }, text, tie('tree')),
}));
const path = fc.array(name, { minLength: 1, maxLength: 3 });
const step: fc.Arbitrary<Step> = fc.record({
  operation: fc.constantFrom('file', 'mkdir', 'unlink', 'rmdir', 'rename'),
  path,
  to: path,
});

test('a tree of parts is what plain objects in their order say, whatever is done to it', async () => {
  let done = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ writeable: fc.boolean(), tree: randomTree }), { minLength: 1, maxLength: 4 }),
      fc.array(step, { maxLength: 12 }),
      async (given, steps) => {
        const layers = structuredClone(given);
        const top = new VirtualDirectory(1);
        const parts: Part[] = [];
        for (const [index, { writeable, tree }] of layers.entries())
          parts.push(await (writeable ? ramPart(index + 1, tree) : tarPart(index + 1, tree)));
        top.layers = parts.map((part) => ({ kind: 'part', part }));
        const tree = new VfsTree(top, 0);
        expect(await shown(tree, tree.root)).toEqual(view(layers));
        for (const one of steps) {
          if (onModel(structuredClone(layers), one) === 'skipped') continue;
          const theirs = onModel(layers, one);
          expect(await onTree(tree, one), JSON.stringify(one)).toBe(theirs);
          if (theirs === 'succeeded') done++;
          expect(await shown(tree, tree.root)).toEqual(view(layers));
        }
      },
    ),
    { numRuns: propertyRuns(600) },
  );
  expect(done).toBeGreaterThan(100);
});
