/** Operations as the config has them: read and checked before the first one runs. */
import { type ConfigNode, FILE_SYSTEM_ERRORS, type FileSystemErrorCode } from '@ginit/core';

interface OnPath {
  readonly path: string;
}

interface FromTo {
  readonly from: string;
  readonly to: string;
}

/** What to do. */
export type Action =
  | ({ readonly kind: 'ls' | 'stat' | 'cat' | 'sha256' } & OnPath)
  | ({ readonly kind: 'read'; readonly offset: number; readonly sizeBytes: number } & OnPath)
  | ({ readonly kind: 'write' | 'append'; readonly text: string } & OnPath)
  | ({ readonly kind: 'fill' | 'verify'; readonly sizeBytes: number; readonly seed: number } & OnPath)
  | ({ readonly kind: 'mkdir' | 'rmdir' | 'unlink' | 'remove-all' } & OnPath)
  | ({ readonly kind: 'rename' | 'link' } & FromTo)
  | ({ readonly kind: 'symlink'; readonly target: string } & OnPath)
  | ({ readonly kind: 'truncate'; readonly sizeBytes: number } & OnPath)
  | { readonly kind: 'sync' }
  | { readonly kind: 'df' };

/** An action and what it must come to. */
export interface Operation {
  readonly kind: 'operation';
  readonly action: Action;
  /** `OP PATH`, as it stands in messages. */
  readonly title: string;
  /** The error that it must fail with. */
  readonly expected: FileSystemErrorCode | undefined;
}

/** Steps that are done `count` times. */
export interface Repeat {
  readonly kind: 'repeat';
  readonly count: number;
  readonly steps: readonly Step[];
}

export type Step = Operation | Repeat;

/** Reads the children of a node. Throws ConfigError at the first that is malformed. */
export function readSteps(node: ConfigNode): Step[] {
  return node.children.map((child) =>
    child.type === 'repeat'
      ? { kind: 'repeat', count: child.integer('count'), steps: readSteps(child) }
      : readOperation(child),
  );
}

function readOperation(node: ConfigNode): Operation {
  const action = readAction(node);
  return { kind: 'operation', action, title: titleOf(action), expected: readExpected(node) };
}

function readAction(node: ConfigNode): Action {
  const kind = node.type;
  switch (kind) {
    case 'ls':
    case 'stat':
    case 'cat':
    case 'sha256':
    case 'mkdir':
    case 'rmdir':
    case 'unlink':
    case 'remove-all':
      return { kind, path: node.string('path') };
    case 'read':
      return { kind, path: node.string('path'), offset: node.bytes('offset'), sizeBytes: node.bytes('size') };
    case 'write':
    case 'append':
      return { kind, path: node.string('path'), text: node.text };
    case 'fill':
    case 'verify':
      return {
        kind,
        path: node.string('path'),
        sizeBytes: node.bytes('size'),
        seed: node.integer('seed', 0),
      };
    case 'rename':
    case 'link':
      return { kind, from: node.string('from'), to: node.string('to') };
    case 'symlink':
      return { kind, path: node.string('path'), target: node.string('target') };
    case 'truncate':
      return { kind, path: node.string('path'), sizeBytes: node.bytes('size') };
    case 'sync':
      return { kind };
    case 'df':
      return { kind };
    default:
      throw node.errorAt(`unknown operation <${kind}>`);
  }
}

function titleOf(action: Action): string {
  if ('path' in action) return `${action.kind} ${action.path}`;
  return 'from' in action ? `${action.kind} ${action.from}` : action.kind;
}

function readExpected(node: ConfigNode): FileSystemErrorCode | undefined {
  const text = node.value('expect');
  if (text === undefined) return undefined;
  const code = FILE_SYSTEM_ERRORS.find((known) => known.toLowerCase() === text.toLowerCase());
  if (code === undefined) throw node.errorAt(`"${text}" is no error of File_system`, 'expect');
  return code;
}
