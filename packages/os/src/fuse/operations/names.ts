/** LOOKUP, and what makes, moves and removes names. */
import { encodeName, type NewNodeData, type NodeStatus, PATH_BYTES_MAX } from '@ginit/core/file_system';
import { ERRNO, Refused } from '../errno.ts';
import type { Exchange } from '../exchanges.ts';
import type { Node } from '../nodes.ts';
import { writeEntry } from '../protocol/attributes.ts';
import { MODE_TYPE, MODE_TYPE_MASK, RENAME } from '../protocol/constants.ts';
import { Message } from '../protocol/message.ts';
import type { Request } from '../protocol/request.ts';
import type { Served } from '../served.ts';
import type { Operation } from './operation.ts';

type Validity = ReturnType<ReturnType<Served['validity']>>;

/** An entry as the answer has it, for whoever finds or makes one. */
export interface ToldEntry {
  readonly node: Node;
  readonly answer: Message;
}

/** Notes that the kernel is to be told of a node, and spells it. */
export function toldEntry(
  served: Served,
  place: { readonly parent: Node; readonly name: string },
  status: NodeStatus,
  validity: Validity,
): ToldEntry {
  const node = served.nodes.found(place.parent, place.name, status);
  const answer = new Message(160);
  writeEntry(answer, node, status, validity);
  return { node, answer };
}

function tell(served: Served, exchange: Exchange, { node, answer }: ToldEntry): void {
  if (!exchange.answer(answer.bytes)) served.nodes.forget(node.id, 1);
}

export const lookup: Operation = async (served, request, exchange) => {
  const parent = served.nodes.get(request.node);
  const name = request.name();
  const validity = served.validity();
  const status = await served.using(parent, (handle) => served.client.stat(handle, name));
  tell(served, exchange, toldEntry(served, { parent, name }, status, validity()));
};

/** What a new node is to be, but for its owner, who asks for it. */
type Wanted = Pick<NewNodeData, 'type' | 'mode'> & { readonly target?: string };

/** Makes a node, and notes it. */
export async function make(
  served: Served,
  request: Pick<Request, 'uid' | 'gid'>,
  place: { readonly parent: Node; readonly name: string },
  wanted: Wanted,
): Promise<ToldEntry> {
  const { parent, name } = place;
  const { uid, gid } = request;
  const { type, mode, target } = wanted;
  const validity = served.validity();
  served.changes++;
  const { handle, status } = await served.using(parent, (directory) =>
    target === undefined
      ? served.client.make(directory, name, { type, mode: mode & 0o7777, uid, gid })
      : served.client.makeSymlink(directory, name, target, { uid, gid }),
  );
  const told = toldEntry(served, place, status, validity());
  served.handles.adopt(told.node, handle);
  return told;
}

export const mknod: Operation = async (served, request, exchange) => {
  const parent = served.nodes.get(request.node);
  const mode = request.u32();
  const name = request.skip(12).name();
  // The session makes no devices, pipes and sockets.
  const type = mode & MODE_TYPE_MASK;
  if (type !== MODE_TYPE.file && type !== 0) throw new Refused(ERRNO.EPERM);
  tell(served, exchange, await make(served, request, { parent, name }, { type: 'file', mode }));
};

export const mkdir: Operation = async (served, request, exchange) => {
  const parent = served.nodes.get(request.node);
  const mode = request.u32();
  const name = request.skip(4).name();
  tell(served, exchange, await make(served, request, { parent, name }, { type: 'directory', mode }));
};

export const symlink: Operation = async (served, request, exchange) => {
  const parent = served.nodes.get(request.node);
  const [name, target] = [request.name(), request.name(PATH_BYTES_MAX)];
  const wanted = { type: 'symlink', mode: 0o777, target } as const;
  tell(served, exchange, await make(served, request, { parent, name }, wanted));
};

export const link: Operation = async (served, request, exchange) => {
  const parent = served.nodes.get(request.node);
  const target = served.nodes.get(request.u64());
  const name = request.name();
  const validity = served.validity();
  served.changes++;
  const status = await served.using(target, async (handle) => {
    await served.using(parent, (directory) => served.client.link(handle, directory, name));
    return served.client.status(handle);
  });
  tell(served, exchange, toldEntry(served, { parent, name }, status, validity()));
};

export const readlink: Operation = async (served, { node: id }, exchange) => {
  const node = served.nodes.get(id);
  exchange.answer(encodeName(await served.using(node, (handle) => served.client.target(handle))));
};

/**
 * Gets a node ready for the loss of a name. If it is the last one, and nobody has the node open, it
 * is better freed at once; if there are more of them, which we do not know, it is reached by its
 * handle from now on.
 */
async function beforeLoss(served: Served, node: Node | undefined): Promise<void> {
  if (node === undefined || node.opens > 0) return;
  if (node.status.links <= 1 || node.status.type === 'directory') served.handles.drop(node);
  else await served.using(node, async () => undefined);
}

const removing =
  (remove: (served: Served, directory: number, name: string) => Promise<void>): Operation =>
  async (served, request, exchange) => {
    const parent = served.nodes.get(request.node);
    const name = request.name();
    served.changes++;
    await beforeLoss(served, parent.children.get(name));
    await served.using(parent, (directory) => remove(served, directory, name));
    served.nodes.nameGone(parent, name);
    exchange.answer();
  };

export const unlink = removing(({ client }, directory, name) => client.unlink(directory, name));
export const rmdir = removing(({ client }, directory, name) => client.rmdir(directory, name));

async function move(
  served: Served,
  from: { readonly parent: Node; readonly name: string },
  to: { readonly parent: Node; readonly name: string },
  how: 'replace' | 'new' | 'exchange',
): Promise<void> {
  const { nodes, client } = served;
  const [source, replaced] = [from.parent.children.get(from.name), to.parent.children.get(to.name)];
  served.changes++;
  if (how === 'replace' && replaced !== source) await beforeLoss(served, replaced);
  await served.using(from.parent, (directory) =>
    served.using(to.parent, (toDirectory) => client.move(directory, from.name, toDirectory, to.name, how)),
  );
  // Two names of one node both stay.
  if (source !== undefined && source === replaced) return;
  if (how === 'exchange') return nodes.exchanged(from.parent, from.name, to.parent, to.name);
  nodes.nameGone(to.parent, to.name);
  nodes.moved(from.parent, from.name, to.parent, to.name);
}

export const rename: Operation = async (served, request, exchange) => {
  const parent = served.nodes.get(request.node);
  const toParent = served.nodes.get(request.u64());
  const [name, toName] = [request.name(), request.name()];
  await move(served, { parent, name }, { parent: toParent, name: toName }, 'replace');
  exchange.answer();
};

export const rename2: Operation = async (served, request, exchange) => {
  const parent = served.nodes.get(request.node);
  const toParent = served.nodes.get(request.u64());
  const flags = request.u32();
  request.skip(4);
  const [name, toName] = [request.name(), request.name()];
  await move(served, { parent, name }, { parent: toParent, name: toName }, moveMode(flags));
  exchange.answer();
};

function moveMode(flags: number): 'replace' | 'new' | 'exchange' {
  if (flags === 0) return 'replace';
  if (flags === RENAME.noReplace) return 'new';
  if (flags === RENAME.exchange) return 'exchange';
  throw new Refused(ERRNO.EINVAL);
}
