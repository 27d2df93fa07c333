/** The config of `vfs`: a tree of parts, and who may see which part of it. */
import { attribute, type ConfigOf, element, enclosing } from '@ginit/core/config';
import { FILE_SYSTEM_POLICY_ELEMENTS } from '@ginit/core/file_system';

const NAME = { name: attribute.text('Name in the directory', { required: true }) };
const named = (name: string) => ({ name: attribute.text('Name in the directory', { fallback: name }) });
const label = (doc: string) => attribute.label(doc, { fallback: '' });
const LABEL_AS_NAME = attribute.label('Label of the session', { otherwise: 'the name' });

const FS = element('fs', 'The files of a File_system session', {
  attributes: {
    label: label('Label of the session'),
    root: attribute.text('The directory of it that appears here', { fallback: '/' }),
    writeable: attribute.boolean('Whether anything is changed in it', { fallback: true }),
    buffer_size: attribute.bytes('Bulk buffer of the session: what is under way at a time', {
      fallback: 1024 * 1024,
      min: 64 * 1024,
      max: 64 * 1024 * 1024,
    }),
  },
});
const TAR = element('tar', 'The files of a tar archive, which is a ROM module; they can only be read', {
  attributes: { name: attribute.label('Label of the ROM session', { required: true }) },
});
const ROM = element('rom', 'A file with the content of a ROM module, and follows it', {
  attributes: { ...NAME, label: LABEL_AS_NAME },
});
const INLINE = element('inline', 'A file with this content: a text, or elements', {
  attributes: NAME,
  anyContent: true,
});
const SYMLINK = element('symlink', 'A symbolic link', {
  attributes: { ...NAME, target: attribute.text('The path that it leads to', { required: true }) },
});
const SPECIAL = [
  element('block', 'A Block session as a file of its size', {
    attributes: {
      ...named('block'),
      label: LABEL_AS_NAME,
      writeable: attribute.boolean('Whether it is written', { fallback: true }),
    },
  }),
  element('terminal', 'A Terminal session as a file', {
    attributes: { ...named('terminal'), label: LABEL_AS_NAME },
  }),
  element('null', 'A file that is empty and takes everything', { attributes: named('null') }),
  element('zero', 'A file of zeros without end', { attributes: named('zero') }),
  element('random', 'A file of random bytes without end', { attributes: named('random') }),
  element('log', 'A file that is empty; lines that are written to it go to LOG', {
    attributes: {
      ...named('log'),
      label: attribute.label('Label of a LOG session of its own', { otherwise: "the component's own log" }),
    },
  }),
  element('ram', 'Files in memory'),
] as const;

/** What stands in a tree to be read only. */
const CONTENT = [FS, TAR, ROM, INLINE, SYMLINK] as const;

const DIR = element('dir', 'A directory; the parts in it lie over each other in their order', {
  attributes: NAME,
  children: [...CONTENT, ...SPECIAL, enclosing('dir')],
});
const IMPORT = element('import', 'Copies what it holds into the tree, once, at the start', {
  attributes: {
    overwrite: attribute.boolean('Whether files that are there already are replaced', { fallback: false }),
  },
  children: [
    ...CONTENT,
    element('dir', 'A directory to be copied', {
      attributes: NAME,
      children: [...CONTENT, enclosing('dir')],
    }),
  ],
});

/** The config of `vfs`. */
export const VFS_CONFIG = element('config', 'A tree of files out of parts, and who may see which part', {
  children: [
    element('vfs', 'The root directory', { children: [...CONTENT, ...SPECIAL, DIR, IMPORT], min: 1, max: 1 }),
    ...FILE_SYSTEM_POLICY_ELEMENTS,
  ],
});

type Root = NonNullable<ConfigOf<typeof VFS_CONFIG>['$children']['vfs']>;
type RootItem = Root['$content'][number];
/** A directory of the tree. */
export type DirItem = Extract<RootItem, { readonly $type: 'dir' }>;
/** What is copied at the start. */
export type ImportItem = Extract<RootItem, { readonly $type: 'import' }>;
/** Whatever becomes a part of the tree. */
export type PartItem = Exclude<DirItem['$content'][number], { readonly $type: 'dir' }>;
