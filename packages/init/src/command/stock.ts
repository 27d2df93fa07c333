/** The components that come with ginit, by the short names that configs use. */
import { BUNDLED } from '@ginit/core/supervisor';

const STOCK: Readonly<Record<string, string>> = {
  blockcache: '@ginit/blockcache',
  file_block: '@ginit/os/file_block',
  fs_tool: '@ginit/os/fs_tool',
  init: '@ginit/init/component',
  part_block: '@ginit/os/part_block',
  ram_block: '@ginit/os/ram_block',
  rumpfs: '@ginit/rumpfs',
};

/** The short names, sorted. */
export const STOCK_NAMES: readonly string[] = Object.keys(STOCK).toSorted();

const known = new Map<string, string>();

/** Module URL of a stock component; `undefined` if there is none of that name. */
export function stockModule(name: string): string | undefined {
  const url = known.get(name) ?? resolveStock(name);
  if (url !== undefined) known.set(name, url);
  return url;
}

function resolveStock(name: string): string | undefined {
  const specifier = Object.hasOwn(STOCK, name) ? STOCK[name] : undefined;
  if (specifier === undefined) return undefined;
  const url = import.meta.resolve(specifier);
  return BUNDLED ? url.replace(/.*\/dist\//, (before) => before.replace(/dist\/$/, 'bundle/')) : url;
}
