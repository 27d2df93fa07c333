/**
 * Directories that lie over each other. A node of the tree is one node of a part, or, of a
 * directory, all the directories that lie at its place: those of parts and those of the config, the
 * upper first. Each of them is a component of the node; what lies in the components are its layers.
 */
import type { BackendListing, NodeType } from '@ginit/core/file_system';
import { codeOf, fileSystemFailure } from '../../lib/file-system-failure.ts';
import type { Part, PartNode } from '../part.ts';
import { VirtualDirectory } from './virtual-directory.ts';

/** One of the directories that lie over each other, or a single node. */
export type Component = VirtualDirectory | PartNode;

/** Where names are looked for: a directory of a part, or the name of a directory of the config. */
export type Layer =
  | { readonly kind: 'node'; readonly node: PartNode }
  | { readonly kind: 'dir'; readonly name: string; readonly directory: VirtualDirectory };

/** A component, and the layer in which it was found. */
export interface Found {
  readonly layer: Layer;
  readonly component: Component;
}

export function typeOf(component: Component): NodeType {
  return component instanceof VirtualDirectory ? 'directory' : component.type;
}

/** The layers of a directory. */
export function layersOf(components: readonly Component[]): Layer[] {
  return components.flatMap((component): Layer[] => {
    if (!(component instanceof VirtualDirectory)) return [{ kind: 'node', node: component }];
    return component.layers.map((layer) =>
      layer.kind === 'part' ? { kind: 'node', node: layer.part.root } : layer,
    );
  });
}

/** Gives the holds of components back. */
export async function releaseAll(components: readonly Component[]): Promise<void> {
  for (const component of components) {
    if (!(component instanceof VirtualDirectory)) await component.part.release(component);
  }
}

/** What has the name in one layer, held; undefined if nothing has. */
async function lookIn(layer: Layer, name: string): Promise<Component | undefined> {
  if (layer.kind === 'dir') return layer.name === name ? layer.directory : undefined;
  const { node } = layer;
  try {
    return await node.part.lookup(node, name);
  } catch (error) {
    if (codeOf(error) === 'Lookup_failed' || node.part.errorCode(error) === 'Lookup_failed') return undefined;
    throw error;
  }
}

/**
 * All that has the name, held, the upper first: one node, or directories. What lies below a node
 * that is no directory, and what is no directory below one, is hidden. A layer that fails fails the
 * whole, unless one above has the name already.
 */
export async function findAll(layers: readonly Layer[], name: string): Promise<Found[]> {
  const found: Found[] = [];
  for (const layer of layers) {
    let component: Component | undefined;
    try {
      component = await lookIn(layer, name);
    } catch (error) {
      if (found.length > 0) continue;
      throw error;
    }
    if (!component) continue;
    if (found.length > 0 && typeOf(component) !== 'directory') {
      await releaseAll([component]);
      continue;
    }
    found.push({ layer, component });
    if (typeOf(component) !== 'directory') break;
  }
  return found;
}

/** Lends what `findAll` finds to `use`. */
export async function withFound<Result>(
  layers: readonly Layer[],
  name: string,
  use: (found: readonly Found[]) => Promise<Result>,
): Promise<Result> {
  const found = await findAll(layers, name);
  try {
    return await use(found);
  } finally {
    await releaseAll(found.map(({ component }) => component));
  }
}

/** Whether one of the layers has the name. */
async function anyHas(layers: readonly Layer[], name: string): Promise<boolean> {
  for (const layer of layers) {
    const found = await lookIn(layer, name);
    if (!found) continue;
    await releaseAll([found]);
    return true;
  }
  return false;
}

/** Cursors of layers are multiplied by this, which is more than there are layers. */
const LAYERS_MAX = 1024;

/**
 * A piece of what the layers list together: each name once, as the upper layer has it. The cursor
 * says the layer and where in it, so nothing is kept between two pieces.
 */
export async function listLayers(
  layers: readonly Layer[],
  cursor: number,
  entriesMax: number,
): Promise<BackendListing> {
  const [only] = layers;
  if (layers.length === 1 && only) return listLayer(only, cursor, entriesMax);
  let inLayer = Math.floor(cursor / LAYERS_MAX);
  for (let index = cursor % LAYERS_MAX; index < layers.length; ) {
    const layer = layers[index];
    if (!layer) break;
    const listed = await listLayer(layer, inLayer, entriesMax);
    const above = layers.slice(0, index);
    const hidden = await Promise.all(listed.entries.map(({ name }) => anyHas(above, name)));
    const entries = listed.entries.filter((_, at) => !hidden[at]);
    if (listed.nextCursor === undefined) {
      index++;
      inLayer = 0;
    } else {
      inLayer = listed.nextCursor;
    }
    const next = inLayer * LAYERS_MAX + index;
    if (!Number.isSafeInteger(next)) throw fileSystemFailure('Size_limit_reached', 'a cursor is too large');
    if (index >= layers.length) return { entries, nextCursor: undefined };
    if (entries.length > 0) return { entries, nextCursor: next };
  }
  return { entries: [], nextCursor: undefined };
}

async function listLayer(layer: Layer, cursor: number, entriesMax: number): Promise<BackendListing> {
  if (layer.kind === 'node') return layer.node.part.list(layer.node, cursor, entriesMax);
  const { name, directory } = layer;
  return { entries: [{ name, id: directory.inode, type: 'directory' }], nextCursor: undefined };
}

/** The layer of these that belongs to a part. */
export function layerOf(layers: readonly Layer[], part: Part): PartNode | undefined {
  for (const layer of layers) {
    if (layer.kind === 'node' && layer.node.part === part) return layer.node;
  }
  return undefined;
}
