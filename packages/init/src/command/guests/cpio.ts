/** Archives in the format "newc" of cpio, which Linux unpacks into its first file system. */

/** A file of an archive. Directories end with `/`. */
export interface ArchiveEntry {
  readonly path: string;
  /** Kind and permissions, as in `st_mode`. */
  readonly mode: number;
  readonly content?: Uint8Array;
  /** Major and minor number of a device. */
  readonly device?: readonly [number, number];
}

const ALIGNMENT = 4;
const END = 'TRAILER!!!';

/** The archive with these files, in this order: directories stand before what is in them. */
export function cpioArchive(entries: readonly ArchiveEntry[]): Uint8Array {
  const parts = entries.flatMap((entry, index) => member(entry, index + 1));
  return Buffer.concat([...parts, ...member({ path: END, mode: 0 }, 0)]);
}

function member(
  { path, mode, content = new Uint8Array(0), device = [0, 0] }: ArchiveEntry,
  inode: number,
): Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  const [major, minor] = device;
  const links = 1;
  const fields = [inode, mode, 0, 0, links, 0, content.byteLength, 0, 0, major, minor, name.byteLength, 0];
  const header = Buffer.from(`070701${fields.map(hexadecimal).join('')}`);
  return [padded(Buffer.concat([header, name])), padded(content)];
}

function hexadecimal(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function padded(bytes: Uint8Array): Uint8Array {
  const missing = (ALIGNMENT - (bytes.byteLength % ALIGNMENT)) % ALIGNMENT;
  return missing === 0 ? bytes : Buffer.concat([bytes, new Uint8Array(missing)]);
}
