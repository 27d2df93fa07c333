/** The errors of requests: as statuses of packets, and as errors of promises. */
import { RpcError } from '../../errors.ts';
import { type BlockErrorCode, BLOCK_STATUS } from './declaration.ts';

const STATUS: Readonly<Record<BlockErrorCode, number>> = {
  Invalid: BLOCK_STATUS.invalid,
  InputOutput: BLOCK_STATUS.inputOutput,
  OutOfRange: BLOCK_STATUS.outOfRange,
  ReadOnly: BLOCK_STATUS.readOnly,
  NoSpace: BLOCK_STATUS.noSpace,
  Gone: BLOCK_STATUS.gone,
};

function isBlockErrorCode(code: string): code is BlockErrorCode {
  return Object.hasOwn(STATUS, code);
}

/** The status that stands for a code. */
export function statusOfCode(code: BlockErrorCode): number {
  return STATUS[code];
}

/**
 * The status by which a client is told of `error`. If the peer behind a server is gone, then so is
 * the device. Any other code that Block does not declare becomes an input/output error.
 */
export function statusOfError({ code }: RpcError): number {
  if (isBlockErrorCode(code)) return STATUS[code];
  return code === 'PeerGone' || code === 'Revoked' ? BLOCK_STATUS.gone : BLOCK_STATUS.inputOutput;
}

/**
 * The error code for the status of a failed request. A status that no server should send becomes an
 * input/output error.
 */
export function codeOfStatus(status: number): BlockErrorCode {
  switch (status) {
    case BLOCK_STATUS.invalid:
      return 'Invalid';
    case BLOCK_STATUS.outOfRange:
      return 'OutOfRange';
    case BLOCK_STATUS.readOnly:
      return 'ReadOnly';
    case BLOCK_STATUS.noSpace:
      return 'NoSpace';
    case BLOCK_STATUS.gone:
      return 'Gone';
    default:
      return 'InputOutput';
  }
}
