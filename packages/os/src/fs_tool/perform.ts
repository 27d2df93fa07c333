/** Carries out the operations and prints their results. */
import { RpcError, unreachable } from '@ginit/core';
import { type FileSystemClient, type OpenFile } from '@ginit/core/file_system';
import { sha256 } from '@noble/hashes/sha2.js';
import { list, TYPE_WORDS } from './listing.ts';
import type { Action } from './operation.ts';
import { firstDifference, Pattern } from './pattern.ts';
import { printable } from './printable.ts';
import { type Clock, Progress } from './progress.ts';
import { Piece, readStream, writeStream } from './stream.ts';

/** The largest file that `cat` prints; a larger file is hardly text. */
const CAT_BYTES_MAX = 1024 * 1024;
const CAT_LINE_MAX = 16 * 1024;
/** The number of bytes of a `read` that are shown. */
const SHOWN_BYTES_MAX = 64;

/** The parts that operations work with. */
export interface Tools {
  readonly client: FileSystemClient;
  readonly print: (line: string) => Promise<void>;
  readonly clock: Clock;
}

/** The error when `verify` finds other bytes. */
export class Mismatch extends Error {}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Carries out an action. Rejects with `RpcError`, or with `Mismatch`. */
export async function perform(action: Action, tools: Tools): Promise<void> {
  const { client, print } = tools;
  switch (action.kind) {
    case 'ls':
      return list(client, action.path, print);
    case 'stat':
      return stat(action.path, tools);
    case 'cat':
      return cat(action.path, tools);
    case 'sha256':
      return hash(action.path, tools);
    case 'read':
      return read(action.path, action.offset, action.sizeBytes, tools);
    case 'write':
    case 'append':
      return write(action.kind, action.path, new TextEncoder().encode(action.text), tools);
    case 'fill':
      return fill(action.path, action.sizeBytes, action.seed, tools);
    case 'verify':
      return verify(action.path, action.sizeBytes, action.seed, tools);
    case 'df':
      return df(tools);
    default:
      return change(action, tools);
  }
}

/** Carries out an action that has nothing to show. */
async function change(
  action: Exclude<
    Action,
    {
      readonly kind:
        | 'ls'
        | 'stat'
        | 'cat'
        | 'sha256'
        | 'read'
        | 'write'
        | 'append'
        | 'fill'
        | 'verify'
        | 'df';
    }
  >,
  { client, print }: Tools,
): Promise<void> {
  switch (action.kind) {
    case 'mkdir':
      await client.mkdir(action.path);
      return print(`mkdir ${action.path}: ok`);
    case 'rmdir':
      await client.rmdir(action.path);
      return print(`rmdir ${action.path}: ok`);
    case 'unlink':
      await client.unlink(action.path);
      return print(`unlink ${action.path}: ok`);
    case 'remove-all':
      await client.removeAll(action.path);
      return print(`remove-all ${action.path}: ok`);
    case 'rename':
      await client.rename(action.from, action.to);
      return print(`rename ${action.from} ${action.to}: ok`);
    case 'link':
      await client.link(action.from, action.to);
      return print(`link ${action.from} ${action.to}: ok`);
    case 'symlink':
      await client.symlink(action.path, action.target);
      return print(`symlink ${action.path} ${action.target}: ok`);
    case 'truncate':
      await client.truncate(action.path, action.sizeBytes);
      return print(`truncate ${action.path}: ${action.sizeBytes} bytes`);
    case 'sync':
      await client.sync();
      return print('sync: ok');
    default:
      return unreachable(action);
  }
}

async function stat(path: string, { client, print }: Tools): Promise<void> {
  const { type, sizeBytes, mode, links, inode } = await client.lstat(path);
  const permissions = mode.toString(8).padStart(4, '0');
  await print(
    `stat ${path}: ${TYPE_WORDS[type]} ${sizeBytes} mode=${permissions} links=${links} inode=${inode}`,
  );
}

async function cat(path: string, { client, print }: Tools): Promise<void> {
  const text = new TextDecoder().decode(await client.readFile(path, CAT_BYTES_MAX));
  const lines = text.split('\n');
  if (lines.at(-1) === '' && lines.length > 1) lines.pop();
  for (const line of lines) {
    const shown = printable(line.endsWith('\r') ? line.slice(0, -1) : line, '\t');
    for (let at = 0; at === 0 || at < shown.length; at += CAT_LINE_MAX) {
      await print(`cat ${path}: ${shown.slice(at, at + CAT_LINE_MAX)}`);
    }
  }
}

async function hash(path: string, tools: Tools): Promise<void> {
  const digest = await tools.client.withFile(path, {}, async (file) => {
    const { sizeBytes } = await file.status();
    const hasher = sha256.create();
    const progress = progressOf(`sha256 ${path}`, sizeBytes, tools);
    // Reads to the end of the file, wherever the end is by then.
    await readStream(file, Number.MAX_SAFE_INTEGER, progress, (piece, length) => {
      hasher.update(piece.bytes.subarray(0, length));
    });
    return hasher.digest();
  });
  await tools.print(`sha256 ${path} ${hex(digest)}`);
}

async function read(
  path: string,
  offset: number,
  sizeBytes: number,
  { client, print }: Tools,
): Promise<void> {
  const bytes = await client.withFile(path, {}, async (file) => {
    const into = new Uint8Array(sizeBytes);
    return into.subarray(0, await file.read(offset, into));
  });
  if (bytes.length === 0 && sizeBytes > 0) {
    throw new RpcError('Invalid_argument', 'the file ends before');
  }
  const shown = bytes.length <= SHOWN_BYTES_MAX ? ` hex=${hex(bytes)}` : '';
  await print(
    `read ${path} ${offset} ${sizeBytes}: ${bytes.length} bytes sha256=${hex(sha256(bytes))}${shown}`,
  );
}

async function write(
  kind: 'write' | 'append',
  path: string,
  content: Uint8Array,
  { client, print }: Tools,
): Promise<void> {
  if (kind === 'write') {
    await client.writeFile(path, content);
  } else {
    await client.withFile(path, { mode: 'write-only', create: 'if-missing' }, (file) => file.append(content));
  }
  await print(`${kind} ${path}: ${content.length} bytes`);
}

async function fill(path: string, sizeBytes: number, seed: number, tools: Tools): Promise<void> {
  const pattern = new Pattern(seed);
  const progress = progressOf(`fill ${path}`, sizeBytes, tools);
  await tools.client.withFile(path, { mode: 'write-only', create: 'if-missing' }, async (file) => {
    await file.truncate(0);
    await writeStream(file, sizeBytes, progress, ({ words }, length, position) => {
      pattern.fill(position, words.subarray(0, Math.ceil(length / 4)));
    });
  });
  await tools.print(`fill ${path}: ${sizeBytes} bytes`);
}

async function verify(path: string, sizeBytes: number, seed: number, tools: Tools): Promise<void> {
  const wrong = await tools.client.withFile(path, {}, (file) =>
    findMismatch(file, sizeBytes, new Pattern(seed), progressOf(`verify ${path}`, sizeBytes, tools)),
  );
  if (wrong !== undefined) throw new Mismatch(wrong);
  await tools.print(`verify ${path}: ${sizeBytes} bytes ok`);
}

/** Throws for the first wrong byte. */
async function findMismatch(
  file: OpenFile,
  sizeBytes: number,
  pattern: Pattern,
  progress: Progress,
): Promise<string | undefined> {
  const expected = new Piece();
  let wrong: string | undefined;
  const done = await readStream(file, sizeBytes, progress, (piece, length, position) => {
    const words = Math.ceil(length / 4);
    pattern.fill(position, expected.words.subarray(0, words));
    // The last word is cut: its bytes behind the end are not compared.
    piece.bytes.set(expected.bytes.subarray(length, words * 4), length);
    const at = firstDifference(piece.words.subarray(0, words), expected.words.subarray(0, words));
    if (at < 0) return true;
    const found = `found ${hex(piece.bytes.subarray(at, at + 1))}`;
    wrong = `Mismatch at byte ${position + at}: ${found}, expected ${hex(expected.bytes.subarray(at, at + 1))}`;
    return false;
  });
  if (wrong === undefined && done < sizeBytes) wrong = `Mismatch at byte ${done}: the file ends`;
  return wrong;
}

async function df({ client, print }: Tools): Promise<void> {
  const { totalBytes, freeBytes, totalNodes, freeNodes } = await client.space();
  await print(`df: total ${totalBytes} free ${freeBytes} nodes ${totalNodes} free_nodes ${freeNodes}`);
}

function progressOf(title: string, sizeBytes: number, { print, clock }: Tools): Progress {
  return new Progress(title, sizeBytes, print, clock);
}
