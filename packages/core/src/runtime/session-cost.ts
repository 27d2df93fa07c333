/**
 * The cost of a session. The client, which donates it, and the server, which uses it, compute it
 * alike.
 */
import type { Cost } from '../costs.ts';
import { RpcError } from '../errors.ts';
import type { SessionInterface } from '../interface/interface.ts';
import type { StreamDeclaration, StreamRole } from '../interface/stream.ts';
import { LIMITS } from '../limits.ts';
import { type PacketStreamParameters, streamMemoryBytes } from '../packet-stream/index.ts';
import type { SessionArguments } from '../session/parent.ts';

/** One packet stream of a session that is to be opened. */
export interface StreamPlan {
  readonly name: string;
  readonly declaration: StreamDeclaration<StreamRole>;
  readonly parameters: PacketStreamParameters;
  readonly memoryBytes: number;
}

/**
 * The cost of a session with these arguments and streams. Throws `InvalidArgument` for impossible
 * arguments.
 */
export function sessionCost(
  { cost: { ram, caps }, argumentsRam }: SessionInterface,
  args: SessionArguments,
  plans: readonly StreamPlan[],
): Cost {
  const more = argumentsRam?.(args) ?? 0;
  return { ram: plans.reduce((sum, plan) => sum + plan.memoryBytes, ram + more), caps };
}

/**
 * The packet streams of a session with these arguments. Throws `InvalidArgument` for impossible
 * sizes.
 */
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
