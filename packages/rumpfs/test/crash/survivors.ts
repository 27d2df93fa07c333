import { FsError } from '../../src/errors.ts';
import { mountFileSystem } from '../../src/file-systems.ts';
import { resolvePath } from '../../src/vnode/path.ts';
import { MemoryHypercalls } from '../memory-hypercalls.ts';
import { MARK_BYTES, type Moment, type Version } from './workload.ts';

const ZEROS = new Uint8Array(MARK_BYTES);

/**
 * The mistakes in an image, given what its names may lead to; '' if there are none. With
 * `emptiedByMoves` a name may lead to an empty file, if what it should lead to is under another
 * name.
 */
export async function wrongNames(
  image: Uint8Array,
  moment: Moment,
  type = 'ext2',
  emptiedByMoves = false,
): Promise<string> {
  const mount = await mountFileSystem(new MemoryHypercalls(image, { writeable: false }), type, {
    writeable: false,
  });
  const read = async (path: string): Promise<Uint8Array | undefined> => {
    try {
      const vnode = await resolvePath(mount, mount.root, path);
      const bytes = new Uint8Array(mount.attributes(vnode).sizeBytes);
      await mount.read(vnode, 0, bytes);
      await mount.release(vnode);
      return bytes;
    } catch (error) {
      if (error instanceof FsError && error.code === 'NotFound') return undefined;
      throw error;
    }
  };
  const elsewhere = async (path: string, versions: readonly Version[]): Promise<boolean> => {
    for (const other of [...moment.names.keys(), '/new', '/x/new']) {
      const found = other === path ? undefined : await read(other);
      if (found !== undefined && found.length > 0 && versions.some((version) => isVersion(found, version)))
        return true;
    }
    return false;
  };
  for (const [path, { versions, absent }] of moment.names) {
    const found = await read(path);
    if (emptiedByMoves && found?.length === 0 && (await elsewhere(path, versions))) continue;
    if (found === undefined && !absent) return `${path} is lost`;
    if (found !== undefined && !versions.some((version) => isVersion(found, version))) {
      return `${path} holds ${describe(found)}, not ${versions.map(({ bytes }) => describe(bytes)).join(' or ')}`;
    }
  }
  for (const { names, version } of moment.moved) {
    const found = await Promise.all(names.map(read));
    if (!found.some((bytes) => bytes !== undefined && isVersion(bytes, version))) {
      return `${describe(version.bytes)} is under none of ${names.join(', ')}`;
    }
  }
  await mount.unmount();
  return '';
}

function isVersion(found: Uint8Array, { bytes, pieces }: Version): boolean {
  if (Buffer.compare(found, bytes) === 0) return true;
  if (pieces.length === 0) return false;
  const own = [bytes, ...pieces];
  for (let at = 0; at < found.length; at += MARK_BYTES) {
    const piece = found.subarray(at, at + MARK_BYTES);
    const known = (one: Uint8Array): boolean =>
      Buffer.compare(piece, one.subarray(at, at + piece.length)) === 0;
    if (Buffer.compare(piece, ZEROS.subarray(0, piece.length)) !== 0 && !own.some(known)) return false;
  }
  return true;
}

function describe(bytes: Uint8Array): string {
  if (bytes.length < 8) return `${bytes.length} bytes`;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const marks = new Set<string>();
  for (let at = 0; at + 8 <= bytes.length; at += MARK_BYTES) {
    const right = view.getUint32(at + 4) === at;
    marks.add(`${view.getUint32(at)}${right ? '' : ' from elsewhere'}`);
  }
  return `${bytes.length} bytes of version ${[...marks].slice(0, 5).join(', ')}`;
}
