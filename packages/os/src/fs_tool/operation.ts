/** Operations as the config has them: all are read before the first one runs. */
import type { FileSystemErrorCode } from '@ginit/core/file_system';
import type { StepConfig } from './schema.ts';

interface OnPath {
  readonly path: string;
}

interface FromTo {
  readonly from: string;
  readonly to: string;
}

/** The actions of operations. */
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

/** An action and its expected result. */
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

type OperationConfig = Exclude<StepConfig, { readonly $type: 'repeat' }>;

/** Makes steps of the elements of the config. */
export function readSteps(steps: readonly StepConfig[]): Step[] {
  return steps.map((step) =>
    step.$type === 'repeat'
      ? { kind: 'repeat', count: step.count, steps: readSteps(step.$content) }
      : readOperation(step),
  );
}

function readOperation(step: OperationConfig): Operation {
  const action = readAction(step);
  return { kind: 'operation', action, title: titleOf(action), expected: step.expect };
}

function readAction(step: OperationConfig): Action {
  const kind = step.$type;
  switch (kind) {
    case 'ls':
    case 'stat':
    case 'cat':
    case 'sha256':
    case 'mkdir':
    case 'rmdir':
    case 'unlink':
    case 'remove-all':
      return { kind, path: step.path };
    case 'read':
      return { kind, path: step.path, offset: step.offset, sizeBytes: step.size };
    case 'write':
    case 'append':
      return { kind, path: step.path, text: step.$node.text };
    case 'fill':
    case 'verify':
      return { kind, path: step.path, sizeBytes: step.size, seed: step.seed };
    case 'rename':
    case 'link':
      return { kind, from: step.from, to: step.to };
    case 'symlink':
      return { kind, path: step.path, target: step.target };
    case 'truncate':
      return { kind, path: step.path, sizeBytes: step.size };
    case 'sync':
    case 'df':
      return { kind };
  }
}

function titleOf(action: Action): string {
  if ('path' in action) return `${action.kind} ${action.path}`;
  return 'from' in action ? `${action.kind} ${action.from}` : action.kind;
}
