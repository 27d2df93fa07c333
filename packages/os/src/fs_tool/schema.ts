/** The config of `fs_tool`. README.md describes each operation and its output. */
import { attribute, type AttributeSchema, type ConfigOf, element, enclosing } from '@ginit/core/config';
import { FILE_SYSTEM_ERRORS } from '@ginit/core/file_system';

const FILE_BYTES_MAX = 2 ** 53 - 1;
/** The largest `<read>`, which is held in memory. */
export const READ_BYTES_MAX = 64 * 1024 * 1024;
const REPEATS_MAX = 1_000_000_000;

const path = attribute.text('Absolute path, from the root of the session', { required: true });
const size = (doc: string, max = FILE_BYTES_MAX) => attribute.bytes(doc, { required: true, min: 0, max });
const seed = attribute.integer('Which bytes', { fallback: 0, min: 0 });

const expect = attribute.oneOf('The error that the operation must fail with', FILE_SYSTEM_ERRORS, {
  ignoreCase: true,
});

type Attributes = Readonly<Record<string, AttributeSchema>>;

function operation<const Type extends string, const Own extends Attributes>(
  type: Type,
  doc: string,
  attributes: Own,
  text: 'none' | 'allowed' = 'none',
) {
  return element(type, doc, { attributes: { ...attributes, expect }, text });
}

const operations = [
  operation('ls', 'Lists a directory', { path }),
  operation('stat', 'Shows what is known of a node', { path }),
  operation('cat', 'Prints a text file', { path }),
  operation('sha256', 'Prints the SHA-256 of a file', { path }),
  operation('read', 'Reads a part of a file', {
    path,
    offset: size('Where to begin'),
    size: size('Bytes to read', READ_BYTES_MAX),
  }),
  operation('write', 'Makes a text the whole of a file', { path }, 'allowed'),
  operation('append', 'Writes a text behind the end of a file', { path }, 'allowed'),
  operation('fill', 'Makes a file of bytes that verify knows', {
    path,
    size: size('Size of the file'),
    seed,
  }),
  operation('verify', 'Checks what fill has written', { path, size: size('Bytes to check'), seed }),
  operation('mkdir', 'Makes a directory', { path }),
  operation('rmdir', 'Removes an empty directory', { path }),
  operation('unlink', 'Removes anything but a directory', { path }),
  operation('remove-all', 'Removes a file, or a directory and all that is below it', { path }),
  operation('rename', 'Renames, replacing what is there', { from: path, to: path }),
  operation('link', 'Gives a file one more name', { from: path, to: path }),
  operation('symlink', 'Makes a symbolic link', {
    path,
    target: attribute.text('What the link says', { required: true }),
  }),
  operation('truncate', 'Makes a file shorter, or longer with zeros', { path, size: size('The new size') }),
  operation('sync', 'Waits until everything written is on stable storage', {}),
  operation('df', 'Shows the space of the file system', {}),
] as const;

const repeat = element('repeat', 'Does what it holds again and again', {
  attributes: { count: attribute.integer('How often', { required: true, min: 0, max: REPEATS_MAX }) },
  children: [...operations, enclosing('repeat')],
});

/** The schema, for the manifest. */
export const FS_TOOL_CONFIG = element('config', 'Operations on a File_system session, in their order', {
  attributes: {
    label: attribute.text('Label of the session, by which the server selects a policy', { fallback: '' }),
    tx_buf_size: attribute.bytes(
      "Bulk buffer of the session: what is under way at a time, paid out of fs_tool's ram",
      {
        fallback: 1024 * 1024,
        min: 4096,
        max: 64 * 1024 * 1024,
      },
    ),
    root: attribute.text('A directory that is to be / for all operations', { fallback: '/' }),
    writeable: attribute.boolean('Whether the session may change anything', { fallback: true }),
  },
  children: [...operations, repeat],
});

/** One step of the config as it was read: an operation or a `<repeat>`. */
export type StepConfig = ConfigOf<typeof FS_TOOL_CONFIG>['$content'][number];
