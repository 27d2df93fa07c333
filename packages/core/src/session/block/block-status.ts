/** The errors of requests: as statuses of packets, and as errors of promises. */
import { RpcError } from '../../errors.ts';
import { type BlockErrorCode, blockStatus } from './declaration.ts';

const STATUS: Readonly<Record<BlockErrorCode, number>> = {
  Invalid: blockStatus.invalid,
  InputOutput: blockStatus.inputOutput,
  OutOfRange: blockStatus.outOfRange,
  ReadOnly: blockStatus.readOnly,
  NoSpace: blockStatus.noSpace,
};

function isBlockErrorCode(code: string): code is BlockErrorCode {
  return Object.hasOwn(STATUS, code);
}

/** The status that tells a client of `error`. A code that Block does not declare is an input/output error. */
export function statusOfError(error: RpcError): number {
  return isBlockErrorCode(error.code) ? STATUS[error.code] : blockStatus.inputOutput;
}

/** The code behind the status of a request that failed. What no server should send is an input/output error. */
export function codeOfStatus(status: number): BlockErrorCode {
  switch (status) {
    case blockStatus.invalid:
      return 'Invalid';
    case blockStatus.outOfRange:
      return 'OutOfRange';
    case blockStatus.readOnly:
      return 'ReadOnly';
    case blockStatus.noSpace:
      return 'NoSpace';
    default:
      return 'InputOutput';
  }
}
