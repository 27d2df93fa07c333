import type { RpcError } from '@ginit/core';
import { COMMAND, NBD_ERROR } from '../protocol.ts';

/**
 * The number by which a client is told of a failure. `Gone` and the end of the block server are
 * input/output errors: `shutdown` would say that the export is about to be closed in order.
 */
export function errorNumber({ code }: RpcError, command: number): number {
  switch (code) {
    case 'NoSpace':
      return NBD_ERROR.noSpace;
    case 'ReadOnly':
      return NBD_ERROR.notPermitted;
    case 'Invalid':
      return NBD_ERROR.invalid;
    case 'OutOfRange':
      return command === COMMAND.write ? NBD_ERROR.noSpace : NBD_ERROR.invalid;
    case 'LimitExceeded':
      return NBD_ERROR.noMemory;
    default:
      return NBD_ERROR.inputOutput;
  }
}
