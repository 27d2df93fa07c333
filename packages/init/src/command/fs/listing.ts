/** Entries of directories for people and for programs. */
import type { MountedStats } from '@ginit/rumpfs';

/** A node as `ls` and `stat` show it. */
export interface ShownNode {
  readonly path: string;
  readonly type: string;
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly allocated: number;
  readonly inode: number;
  readonly modified: string;
  readonly accessed: string;
  readonly changed: string;
  readonly born?: string;
  readonly target?: string;
}

const LETTERS: Readonly<Record<string, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  'block-device': 'b',
  'character-device': 'c',
  fifo: 'p',
  socket: 's',
};
const SECTOR_BYTES = 512;

/** The word for a node's type. */
export function typeOf(
  stats: Pick<
    MountedStats,
    'isFile' | 'isDirectory' | 'isSymbolicLink' | 'isBlockDevice' | 'isCharacterDevice' | 'isFIFO'
  >,
): string {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isBlockDevice()) return 'block-device';
  if (stats.isCharacterDevice()) return 'character-device';
  return stats.isFIFO() ? 'fifo' : 'socket';
}

/** What is shown of a node. */
export function shownNode(path: string, stats: MountedStats, target?: string): ShownNode {
  return {
    path,
    type: typeOf(stats),
    mode: stats.mode & 0o7777,
    links: stats.nlink,
    uid: stats.uid,
    gid: stats.gid,
    size: stats.size,
    allocated: stats.blocks * SECTOR_BYTES,
    inode: stats.ino,
    modified: stats.mtime.toISOString(),
    accessed: stats.atime.toISOString(),
    changed: stats.ctime.toISOString(),
    ...(stats.hasBirthtime ? { born: stats.birthtime.toISOString() } : {}),
    ...(target === undefined ? {} : { target }),
  };
}

/** The type and the permissions as ten letters. */
export function modeText({ type, mode }: Pick<ShownNode, 'type' | 'mode'>): string {
  const triple = (bits: number, special: boolean, letter: string): string => {
    const runs = (bits & 1) !== 0;
    const last = special ? (runs ? letter : letter.toUpperCase()) : runs ? 'x' : '-';
    return `${(bits & 4) !== 0 ? 'r' : '-'}${(bits & 2) !== 0 ? 'w' : '-'}${last}`;
  };
  const user = triple(mode >> 6, (mode & 0o4000) !== 0, 's');
  const group = triple(mode >> 3, (mode & 0o2000) !== 0, 's');
  return `${LETTERS[type] ?? '?'}${user}${group}${triple(mode, (mode & 0o1000) !== 0, 't')}`;
}

/** The lines of `ls -l`; the columns are as wide as they must be. */
export function longLines(nodes: readonly (ShownNode & { readonly name: string })[]): readonly string[] {
  const rows = nodes.map((node) => [
    modeText(node),
    String(node.links),
    String(node.uid),
    String(node.gid),
    String(node.size),
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return nodes.map((node, index) => {
    const row = (rows[index] ?? []).map((text, column) => text.padStart(widths[column] ?? 0));
    const time = node.modified.slice(0, 16).replace('T', ' ');
    return [...row, time, node.target === undefined ? node.name : `${node.name} -> ${node.target}`].join(' ');
  });
}

/** The lines of `stat`. */
export function statLines(node: ShownNode): readonly string[] {
  return [
    `${node.path}${node.target === undefined ? '' : ` -> ${node.target}`}`,
    `  type: ${node.type}`,
    `  size: ${node.size} bytes, ${node.allocated} on the disk`,
    `  mode: ${modeText(node)} (${node.mode.toString(8).padStart(4, '0')}), owner ${node.uid}, group ${node.gid}`,
    `  inode: ${node.inode}, names: ${node.links}`,
    `  modified: ${node.modified}`,
    `  accessed: ${node.accessed}`,
    `  changed: ${node.changed}`,
    ...(node.born === undefined ? [] : [`  born: ${node.born}`]),
  ];
}
