import { RpcError } from '../../../errors.ts';
import { FILE_SYSTEM_ERRORS, type FileSystemErrorCode } from '../declaration.ts';

/** Turns whatever an operation threw into a code of the interface. */
export class Failures {
  readonly #backendCode: (error: unknown) => FileSystemErrorCode | undefined;
  readonly #report: (error: unknown) => void;

  /** `report` takes the errors that nobody meant to throw; their callers see `Input_output`. */
  constructor(
    backendCode: (error: unknown) => FileSystemErrorCode | undefined,
    report: (error: unknown) => void,
  ) {
    this.#backendCode = backendCode;
    this.#report = report;
  }

  codeOf(error: unknown): FileSystemErrorCode {
    if (error instanceof RpcError) {
      const known = FILE_SYSTEM_ERRORS.find((code) => code === error.code);
      if (known !== undefined) return known;
    }
    const code = this.#backendCode(error);
    if (code !== undefined) return code;
    this.#report(error);
    return 'Input_output';
  }

  /** What the caller of an RPC is to see: a code, and no words of the backend's. */
  asRpcError(error: unknown): RpcError<FileSystemErrorCode> {
    const code = this.codeOf(error);
    const own = error instanceof RpcError && error.code === code;
    return new RpcError(code, own ? error.message : code);
  }
}
