/** The policies that are there without being written: by their names. */
import type { CallHappening, PacketHappening, TracePolicy } from './policy.ts';
import { describeValues } from './describe-values.ts';

const STOCK_EVENT_BYTES = 256;
/** The services whose packets are requests for blocks, and their operations by number. */
const BLOCK_SERVICE = 'Block';
const BLOCK_OPERATIONS = new Map([
  [1, 'read'],
  [2, 'write'],
  [3, 'sync'],
  [4, 'trim'],
  [5, 'write zeroes'],
]);

const nameOf = ({ name }: CallHappening): string => name;

const rpcName: TracePolicy = {
  rpcCall: nameOf,
  rpcReturned: nameOf,
  rpcDispatch: nameOf,
  rpcReply: nameOf,
};

/** Arguments and results are cut to what fits. */
const withArguments = ({ name, args }: CallHappening): string => `${name}(${described(args)})`;
const withResult = ({ name, result, failed }: CallHappening): string =>
  failed ? `${name} failed` : `${name} = ${described([result])}`;

const rpcArguments: TracePolicy = {
  rpcCall: withArguments,
  rpcReturned: withResult,
  rpcDispatch: withArguments,
  rpcReply: withResult,
};

const logOutput: TracePolicy = { logOutput: cut };

const checkpoint: TracePolicy = {
  checkpoint: ({ name, value }) => cut(value === undefined ? name : `${name} ${value}`),
};

const block: TracePolicy = { packetSubmit: blockRequest, packetAcknowledge: blockAnswer };

/** Policies by their names. */
export const STOCK_POLICIES: ReadonlyMap<string, TracePolicy> = new Map([
  ['null', {}],
  ['rpc_name', rpcName],
  ['rpc_args', rpcArguments],
  ['log_output', logOutput],
  ['block', block],
  ['checkpoint', checkpoint],
]);

function blockRequest(packet: PacketHappening): string | undefined {
  if (packet.service !== BLOCK_SERVICE) return undefined;
  const operation = BLOCK_OPERATIONS.get(packet.operation) ?? `operation ${packet.operation}`;
  return `${operation} ${packet.position}+${packet.count} tag ${packet.tag}`;
}

function blockAnswer(packet: PacketHappening): string | undefined {
  const request = blockRequest(packet);
  return request === undefined ? undefined : `${request} status ${packet.status}`;
}

const PART_CHARACTERS = STOCK_EVENT_BYTES / 4;

function described(values: readonly unknown[]): string {
  return describeValues(values, PART_CHARACTERS);
}

/** A character takes up to three bytes of UTF-8. */
function cut(text: string): string {
  const most = Math.floor(STOCK_EVENT_BYTES / 3);
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
