/**
 * What a mount in a worker and its user say to each other. The user sends calls, which may overlap;
 * each is answered once. The first answer, 0, says that the file system is mounted. Both ends are
 * of one build, and run in one process.
 */
import { FsError } from '../errors.ts';
import { Failure, type FailureCode, type FsOperations } from '../promises/index.ts';
import { failureCode } from '../promises/failure.ts';

/** The number of the answer that says what became of the mount. */
export const MOUNTED = 0;

/** One call: of any operation, or a read, whose memory does not travel. */
export type WorkerCall =
  | {
      readonly id: number;
      readonly name: Exclude<keyof FsOperations, 'read'>;
      readonly args: readonly unknown[];
    }
  | {
      readonly id: number;
      readonly name: 'read';
      readonly handle: number;
      readonly lengthBytes: number;
      readonly position: number | null;
    };

/** The answer to a call, or a line for the console. */
export type WorkerAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: PlainFailure }
  | { readonly line: string };

/** Something that was thrown. */
export interface PlainFailure {
  /** The code of a file system; undefined if it is none of its errors. */
  readonly fsCode: FailureCode | undefined;
  readonly message: string;
  /** Further fields, as errors of Node have them. */
  readonly fields: Readonly<Record<string, string | number>>;
}

const FIELDS = ['code', 'errno', 'syscall', 'path'] as const;

/** Takes an error apart. */
export function plainFailure(error: unknown): PlainFailure {
  const fields: Record<string, string | number> = {};
  for (const name of FIELDS) {
    const value: unknown = Reflect.get(Object(error), name);
    if (typeof value === 'string' || typeof value === 'number') fields[name] = value;
  }
  const message = error instanceof Error ? error.message : String(error);
  return { fsCode: failureCode(error), message, fields };
}

/** Puts it together again. */
export function errorOf({ fsCode, message, fields }: PlainFailure): Error {
  switch (fsCode) {
    case undefined:
      return Object.assign(new Error(message), fields);
    case 'BadHandle':
    case 'TooManyOpen':
    case 'Unmounted':
      return new Failure(fsCode, message);
    default:
      return new FsError(fsCode, message);
  }
}
