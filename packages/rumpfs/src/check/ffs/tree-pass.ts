/** The third and fourth pass: whether each inode has names, and as many as it says. */
import { Connector } from './connector.ts';
import { type Context, type InodeState, isLeaving, ROOT } from './context.ts';
import { InodeView } from './inode-view.ts';
import { changeInode } from './table.ts';

const DIRECTORY = 4;

/**
 * What a power failure leaves behind is harmless. In a file system that says that it was unmounted
 * cleanly it is damage: somebody else made it.
 */
function afterCrash({ geometry, found }: Context, text: string): void {
  if (geometry.clean) found.damage(text);
  else found.harmless(text);
}

/** Whether each directory hangs in the tree, and its `..` leads to where its entry is. */
export async function checkTree(context: Context, connector: Connector): Promise<void> {
  const { inodes, directories, found, mends } = context;
  const reached = new Set<number>([ROOT]);
  for (const id of directories.keys()) {
    if (isLeaving(context, id)) continue;
    const way: number[] = [];
    const seen = new Set<number>();
    let at = id;
    while (at !== 0 && !reached.has(at) && !seen.has(at)) {
      seen.add(at);
      way.push(at);
      at = inodes.get(at)?.parent ?? 0;
    }
    if (at !== 0 && !reached.has(at)) {
      found.damage(`directory ${id}: contains itself`);
      if (mends) await connector.moveAway(at);
    } else if (at === 0) {
      const top = way.at(-1) ?? id;
      if (inodes.get(top)?.links === 0) {
        found.harmless(`directory ${top}: waits to be freed`);
        if (mends) await changeInode(context, top, (view) => view.clear());
      } else {
        afterCrash(context, `directory ${top}: has no name`);
        if (mends) await connector.connect(top);
      }
    }
    for (const one of way) reached.add(one);
  }
  for (const [id, state] of inodes) {
    if (state.type !== DIRECTORY) continue;
    const parent = id === ROOT ? ROOT : state.parent;
    if (parent === 0 || state.dots === parent) continue;
    afterCrash(context, `directory ${id}: ".." leads to inode ${state.dots}, not ${parent}`);
    if (mends) await connector.setParent(id, parent);
  }
}

/** Whether each inode in use has names, and as many as it says. */
export async function checkLinks(context: Context, connector: Connector): Promise<void> {
  const { inodes, found, mends } = context;
  for (const [id, state] of inodes) {
    if (id === context.geometry.logInode) continue;
    if (isLeaving(context, id) && state.names === 0) continue;
    if (state.type !== DIRECTORY && state.names === 0) {
      await nameless(context, connector, id, state);
      continue;
    }
    if (state.links === state.names || (state.type === DIRECTORY && id !== ROOT && state.parent === 0))
      continue;
    found.harmless(`inode ${id}: ${state.links} links, but has ${state.names} names`);
    if (mends) await changeInode(context, id, (view) => void (view.links = state.names));
  }
}

/**
 * A file without a name: one that was being removed or made is given up, another one found again.
 */
async function nameless(
  context: Context,
  connector: Connector,
  id: number,
  { links, size }: InodeState,
): Promise<void> {
  if (links === 0) context.found.harmless(`inode ${id}: waits to be freed`);
  else afterCrash(context, `inode ${id}: has no name`);
  if (!context.mends) return;
  if (links === 0 || size === 0) await changeInode(context, id, (view: InodeView) => view.clear());
  else await connector.connect(id);
}
