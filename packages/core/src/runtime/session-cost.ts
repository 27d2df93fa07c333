/** What a session costs: computed alike by the client, who donates it, and by the server, who uses it. */
import { RpcError } from '../errors.ts';
import type { SessionInterface } from '../interface/interface.ts';
import type { StreamDeclaration, StreamRole } from '../interface/stream.ts';
import { LIMITS } from '../limits.ts';
import { type PacketStreamParameters, streamMemoryBytes } from '../packet_stream/index.ts';
import type { SessionArguments } from '../session/parent.ts';

/** Charged for a session object at its server. */
export const SESSION_OBJECT_RAM = 4096;
export const SESSION_OBJECT_CAPS = 1;

/** One packet stream of a session to be. */
export interface StreamPlan {
  readonly name: string;
  readonly declaration: StreamDeclaration<StreamRole>;
  readonly parameters: PacketStreamParameters;
  readonly memoryBytes: number;
}

/** The packet streams of a session with the given arguments. Throws `InvalidArgument` for impossible sizes. */
export function streamPlans(interface_: SessionInterface, args: SessionArguments): StreamPlan[] {
  const plans: StreamPlan[] = [];
  for (const [name, declaration] of Object.entries(interface_.members)) {
    if (declaration.kind !== 'stream') continue;
    const parameters = {
      bulkBytes: bulkBytes(args[`${declaration.role}_buf_size`], declaration),
      queueSlots: declaration.queueSlots,
      alignLog2: declaration.alignLog2,
    };
    plans.push({ name, declaration, parameters, memoryBytes: streamMemoryBytes(parameters) });
  }
  return plans;
}

function bulkBytes(asked: unknown, declaration: StreamDeclaration<StreamRole>): number {
  if (asked === undefined) return declaration.defaultBulkBytes;
  if (typeof asked !== 'number' || !Number.isSafeInteger(asked) || asked <= 0 || asked > LIMITS.streamBytes) {
    const what = `${declaration.role}_buf_size`;
    throw new RpcError('InvalidArgument', `${what} is a number of bytes from 1 to ${LIMITS.streamBytes}`);
  }
  const align = 2 ** declaration.alignLog2;
  return Math.ceil(asked / align) * align;
}
