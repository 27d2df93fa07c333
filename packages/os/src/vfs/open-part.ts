/** Makes a part of the tree out of an element of the config. */
import { type Env, Log, Rom, RomClient, RpcError } from '@ginit/core';
import type { ConfigNode } from '@ginit/core/config';
import { Budget, CoarseClock, FsError } from '@ginit/rumpfs/tmpfs-server';
import { checkedName } from '../lib/entry-name.ts';
import { inlineText } from '../lib/inline-text.ts';
import { RamFileSystem } from '../lib/ram-file-system.ts';
import { type Part, partOf } from './part.ts';
import { BlockFile } from './parts/block-file.ts';
import { Charge } from './parts/charge.ts';
import { ContentFile, RomFile } from './parts/content-file.ts';
import { NULL_FILE, randomFile, ZERO_FILE } from './parts/endless-files.ts';
import { LogFile } from './parts/log-file.ts';
import { SessionFiles } from './parts/session-files.ts';
import { type SingleContent, SingleEntry } from './parts/single-entry.ts';
import { TerminalFile } from './parts/terminal-file.ts';
import type { PartItem } from './schema.ts';
import { TarFiles } from './tar/tar-files.ts';
import { TarError } from './tar/tar-header.ts';
import { readTar } from './tar/tar-tree.ts';

/** The part of `env` that parts use. */
export type PartEnv = Pick<Env, 'connect' | 'close' | 'signal' | 'pd' | 'timer' | 'log' | 'warning'>;

/** What a node of an archive takes in memory, about. */
const TAR_NODE_BYTES = 512;

/** Makes the part, with this number. Throws a `ConfigError` at the element if it cannot be. */
export async function openPart(env: PartEnv, item: PartItem, number: number): Promise<Part> {
  try {
    return await opened(env, item, number);
  } catch (error) {
    const reason = reasonOf(error);
    throw reason === undefined ? error : item.$node.errorAt(`<${item.$type}>: ${reason}`);
  }
}

async function opened(env: PartEnv, item: PartItem, number: number): Promise<Part> {
  switch (item.$type) {
    case 'fs': {
      const { label, root, writeable, buffer_size: bufferBytes } = item;
      const files = await SessionFiles.open(env, { label, root, writeable, bufferBytes });
      return partOf(files, {
        number,
        isTree: true,
        close: () => files.close(),
        onChange: (changed) => files.onChange(changed),
      });
    }
    case 'ram':
      return openRam(env, number);
    case 'tar':
      return openTar(env, item.name, number);
    default: {
      const name = checkedName(item.name, item.$node);
      return single(name, await contentOf(env, item), number, await env.timer.currentTimeMs());
    }
  }
}

async function contentOf(
  env: PartEnv,
  item: Exclude<PartItem, { readonly $type: 'fs' | 'ram' | 'tar' }>,
): Promise<SingleContent> {
  switch (item.$type) {
    case 'symlink':
      return { target: item.target };
    case 'null':
      return NULL_FILE;
    case 'zero':
      return ZERO_FILE;
    case 'random':
      // The simulator gives components one that follows its seed.
      return randomFile((into) => void crypto.getRandomValues(into));
    case 'inline':
      return openInline(env, item.$node);
    case 'rom':
      return RomFile.open(env, item.label ?? item.name);
    case 'block':
      return BlockFile.open(env, { label: item.label ?? item.name, writeable: item.writeable });
    case 'terminal':
      return TerminalFile.open(env, item.label ?? item.name);
    case 'log':
      return openLog(env, item.label);
  }
}

function single(name: string, content: SingleContent, number: number, nowMs: number): Part {
  const entry = new SingleEntry(name, content, nowMs);
  if ('target' in content) return partOf(entry, { number, isTree: false, close: async () => {} });
  return partOf(entry, {
    number,
    isTree: false,
    close: () => content.close(),
    onChange: (changed) => content.onChange?.(() => changed(entry.entry, entry.entryInode)),
  });
}

async function openInline(env: PartEnv, node: ConfigNode): Promise<ContentFile> {
  const file = new ContentFile(new Charge(env.pd));
  await file.replace(new TextEncoder().encode(inlineText(node)));
  return file;
}

async function openLog(env: PartEnv, label: string | undefined): Promise<LogFile> {
  if (label === undefined)
    return new LogFile(
      (line) => env.log(line),
      async () => {},
    );
  const log = await env.connect(Log, { label });
  return new LogFile(
    (line) => log.write(line),
    async () => void (await env.close(log)),
  );
}

async function openRam(env: PartEnv, number: number): Promise<Part> {
  const clock = new CoarseClock({
    currentTimeMs: () => env.timer.currentTimeMs(),
    after: (ms, handler) => void env.timer.after(ms, handler),
  });
  const budget = new Budget(env.pd);
  const files = await RamFileSystem.create(budget, () => clock.now());
  return partOf(files, { number, isTree: true, sharesSpace: true, close: () => budget.end() });
}

async function openTar(env: PartEnv, label: string, number: number): Promise<Part> {
  const rom = await env.connect(Rom, { label });
  let archive: Uint8Array | undefined;
  try {
    archive = await new RomClient(rom).content();
  } finally {
    await env.close(rom);
  }
  if (!archive) throw new RpcError('Unavailable', `there is no ROM module "${label}"`);
  const charge = new Charge(env.pd);
  await charge.set(archive.length);
  try {
    const tree = readTar(archive);
    await charge.set(archive.length + tree.nodes * TAR_NODE_BYTES);
    return partOf(new TarFiles(tree), { number, isTree: true, close: () => charge.set(0) });
  } catch (error) {
    await charge.set(0);
    throw error;
  }
}

/** Why a part cannot be; undefined for a mistake of ours. */
export function reasonOf(error: unknown): string | undefined {
  if (error instanceof TarError) return error.message;
  if (error instanceof FsError) return `${error.code}: ${error.message}`;
  if (error instanceof RpcError) return error.message || error.code;
  return undefined;
}
