import { FsError, type FsErrorCode } from '../src/errors.ts';

/** A file system in the plainest form, which the real one is compared with. */
export interface ModelNode {
  readonly type: 'file' | 'directory' | 'symlink';
  data: Uint8Array;
  readonly entries: Map<string, ModelNode>;
  readonly target: string;
  links: number;
}

export function modelNode(type: ModelNode['type'], target = ''): ModelNode {
  return { type, data: new Uint8Array(0), entries: new Map(), target, links: 1 };
}

function fail(code: FsErrorCode): never {
  throw new FsError(code, `model: ${code}`);
}

export class Model {
  readonly root = modelNode('directory');

  /** The paths of all nodes that `wanted` accepts; there is always at least one. */
  paths(wanted: (node: ModelNode) => boolean): string[] {
    const found: string[] = [];
    const visit = (node: ModelNode, path: string): void => {
      if (wanted(node)) found.push(path);
      for (const [name, child] of node.entries) visit(child, `${path}/${name}`);
    };
    visit(this.root, '');
    return found;
  }

  resolve(path: string, followLast = true): ModelNode {
    const way = [this.root];
    const left = path.split('/').toReversed();
    let symlinks = 0;
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const here = way.at(-1) ?? this.root;
      if (here.type !== 'directory') fail('NotDirectory');
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (way.length > 1) way.pop();
        continue;
      }
      const next = here.entries.get(name) ?? fail('NotFound');
      if (next.type !== 'symlink' || (left.length === 0 && !followLast)) {
        way.push(next);
        continue;
      }
      symlinks += 1;
      if (symlinks > 40) fail('SymlinkLoop');
      if (next.target.startsWith('/')) way.length = 1;
      left.push(...next.target.split('/').toReversed());
    }
    return way.at(-1) ?? this.root;
  }

  parentOf(path: string): { directory: ModelNode; name: string } {
    const names = path.split('/').filter((name) => name !== '');
    const name = names.pop() ?? fail('InvalidName');
    const directory = this.resolve(names.join('/'));
    if (directory.type !== 'directory') fail('NotDirectory');
    return { directory, name };
  }

  make(path: string, node: ModelNode): ModelNode {
    const { directory, name } = this.parentOf(path);
    if (directory.entries.has(name)) fail('Exists');
    directory.entries.set(name, node);
    return node;
  }

  link(from: string, path: string): void {
    const node = this.resolve(from, false);
    const { directory, name } = this.parentOf(path);
    if (directory.entries.has(name)) fail('Exists');
    if (node.type === 'directory') fail('IsDirectory');
    directory.entries.set(name, node);
    node.links += 1;
  }

  unlink(path: string): void {
    const { directory, name } = this.parentOf(path);
    const node = directory.entries.get(name) ?? fail('NotFound');
    if (node.type === 'directory') fail('IsDirectory');
    directory.entries.delete(name);
    node.links -= 1;
  }

  removeDirectory(path: string): void {
    const { directory, name } = this.parentOf(path);
    const node = directory.entries.get(name) ?? fail('NotFound');
    if (node.type !== 'directory') fail('NotDirectory');
    if (node.entries.size > 0) fail('NotEmpty');
    directory.entries.delete(name);
    node.links = 0;
  }

  rename(from: string, path: string): void {
    const source = this.parentOf(from);
    const target = this.parentOf(path);
    const node = source.directory.entries.get(source.name) ?? fail('NotFound');
    const replaced = target.directory.entries.get(target.name);
    if (replaced === node) return;
    if (node.type === 'directory') {
      if (contains(node, target.directory)) fail('InvalidArgument');
      if (replaced !== undefined && replaced.type !== 'directory') fail('NotDirectory');
      if (replaced !== undefined && replaced.entries.size > 0) fail('NotEmpty');
    } else if (replaced?.type === 'directory') {
      fail('IsDirectory');
    }
    source.directory.entries.delete(source.name);
    target.directory.entries.set(target.name, node);
    if (replaced !== undefined) replaced.links -= 1;
  }
}

export function writeModel(node: ModelNode, offset: number, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  resizeModel(node, Math.max(node.data.length, offset + bytes.length));
  node.data.set(bytes, offset);
}

/**
 * Makes the content of a file shorter, or longer by zeros. Its memory stays as long as it is large
 * enough: files may be sparse, and large.
 */
export function resizeModel(node: ModelNode, size: number): void {
  const { data } = node;
  if (size < data.length) data.fill(0, size);
  if (size <= data.buffer.byteLength) {
    node.data = new Uint8Array(data.buffer, 0, size);
    return;
  }
  node.data = new Uint8Array(size);
  node.data.set(data);
}

function contains(above: ModelNode, node: ModelNode): boolean {
  if (above === node) return true;
  for (const child of above.entries.values()) {
    if (child.type === 'directory' && contains(child, node)) return true;
  }
  return false;
}
