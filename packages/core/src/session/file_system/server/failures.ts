import { RpcError } from '../../../errors.ts';
import { FILE_SYSTEM_ERRORS, type FileSystemErrorCode } from '../declaration.ts';

/** Turns whatever an operation threw into a code of the interface. */
export class Failures {
  readonly #backendCode: (error: unknown) => FileSystemErrorCode | undefined;
  readonly #report: (error: unknown) => void;

  /**
   * `report` takes errors that the backend does not declare. The client sees `Input_output`
   * instead.
   */
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

  /** The error that the client gets: a code, without the backend's own words. */
  asRpcError(error: unknown): RpcError<FileSystemErrorCode> {
    const code = this.codeOf(error);
    const own = error instanceof RpcError && error.code === code;
    return new RpcError(code, own ? error.message : code);
  }
}
