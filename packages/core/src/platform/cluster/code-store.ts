import type { ResolvedBinary } from '../../supervisor/binary-service.ts';
import type { CodeList } from './messages.ts';

/** A component's code on this machine, for as long as somebody uses it. */
export interface CodeInUse {
  readonly binary: ResolvedBinary;
  /** The user does not need it any more. */
  release(): void;
}

/** Keeps the code that has come from elsewhere. */
export interface CodeStore {
  /**
   * Has the code of a component ready. `fetch` brings the content of a file; what comes is compared
   * with its hash. Rejects, with a reason for people, if the code cannot be had or is not to be
   * started.
   */
  prepare(list: CodeList, fetch: FetchFile): Promise<CodeInUse>;
}

/** Brings the content of a file by its hash. */
export type FetchFile = (file: { readonly hash: string; readonly bytes: number }) => Promise<Uint8Array>;
