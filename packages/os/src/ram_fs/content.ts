/** The config of `ram_fs`, and the making of the files that it lists. */
import { type Env, Rom, RomClient, RpcError } from '@ginit/core';
import { attribute, type ConfigNode, type ConfigOf, element, enclosing } from '@ginit/core/config';
import { FILE_SYSTEM_POLICY_ELEMENTS, type FileSystemBackend } from '@ginit/core/file_system';
import { checkedName } from '../lib/entry-name.ts';
import { inlineText } from '../lib/inline-text.ts';
import { FsError, type Vnode } from '@ginit/rumpfs/tmpfs-server';

const NAME = { name: attribute.text('Name in the directory', { required: true }) };

const INLINE = element('inline', 'A file with this content: a text, or elements', {
  attributes: NAME,
  anyContent: true,
});
const ROM = element('rom', 'A file with the content that a ROM module has at the start', {
  attributes: {
    name: attribute.label('Label of the ROM session', { required: true }),
    as: attribute.text('Name in the directory', { otherwise: 'the name of the module' }),
  },
});
const SYMLINK = element('symlink', 'A symbolic link', {
  attributes: { ...NAME, target: attribute.text('The path that it leads to', { required: true }) },
});
const DIR = element('dir', 'A directory', {
  attributes: NAME,
  children: [INLINE, ROM, SYMLINK, enclosing('dir')],
});

/** The config of `ram_fs`. */
export const RAM_FS_CONFIG = element(
  'config',
  'A file system in memory: what is in it, and who may see which part',
  {
    children: [
      ...FILE_SYSTEM_POLICY_ELEMENTS,
      element('content', 'Files that are there from the start', {
        children: [INLINE, ROM, SYMLINK, DIR],
        max: 1,
      }),
    ],
  },
);

type Content = NonNullable<ConfigOf<typeof RAM_FS_CONFIG>['$children']['content']>['$content'];
type Item = Content[number];

/** The part of `env` that the making of files uses. */
export type ContentEnv = Pick<Env, 'connect' | 'close' | 'config'>;

/**
 * Makes the files that the config lists. Throws a `ConfigError` at the element that cannot be: a
 * name that is none or is there already, a module that is absent, or no space.
 */
export async function fillWithContent(env: ContentEnv, fs: FileSystemBackend<Vnode>): Promise<void> {
  const { content } = env.config.read(RAM_FS_CONFIG).$children;
  if (content) await fillDirectory(env, fs, fs.root, content.$content);
}

async function fillDirectory(
  env: ContentEnv,
  fs: FileSystemBackend<Vnode>,
  directory: Vnode,
  items: Content,
): Promise<void> {
  for (const item of items) {
    try {
      await fs.release(await make(env, fs, directory, item));
    } catch (error) {
      const reason = reasonOf(fs, error);
      throw reason === undefined ? error : item.$node.errorAt(`<${item.$type}>: ${reason}`);
    }
  }
}

/** Why a file could not be made; undefined for a mistake of ours. */
function reasonOf(fs: FileSystemBackend<Vnode>, error: unknown): string | undefined {
  if (error instanceof FsError) return `${fs.errorCode(error) ?? error.code}: ${error.message}`;
  return error instanceof RpcError ? error.message : undefined;
}

async function make(
  env: ContentEnv,
  fs: FileSystemBackend<Vnode>,
  directory: Vnode,
  item: Item,
): Promise<Vnode> {
  switch (item.$type) {
    case 'inline':
      return makeFile(fs, directory, item.name, new TextEncoder().encode(inlineText(item.$node)), item.$node);
    case 'rom':
      return makeFile(fs, directory, item.as ?? item.name, await romContent(env, item.name), item.$node);
    case 'symlink':
      return fs.createSymlink(directory, checkedName(item.name, item.$node), item.target);
    case 'dir': {
      const made = await fs.createDirectory(directory, checkedName(item.name, item.$node));
      await fillDirectory(env, fs, made, item.$content);
      return made;
    }
  }
}

async function makeFile(
  fs: FileSystemBackend<Vnode>,
  directory: Vnode,
  name: string,
  content: Uint8Array,
  node: ConfigNode,
): Promise<Vnode> {
  const file = await fs.createFile(directory, checkedName(name, node));
  if (content.length > 0 && (await fs.write(file, 0, content)) < content.length) {
    throw new RpcError('No_space', 'the RAM quota is used up');
  }
  return file;
}

async function romContent(env: ContentEnv, label: string): Promise<Uint8Array> {
  const rom = await env.connect(Rom, { label });
  try {
    const content = await new RomClient(rom).content();
    if (content) return content;
    throw new RpcError('Unavailable', `there is no ROM module "${label}"`);
  } finally {
    await env.close(rom);
  }
}
