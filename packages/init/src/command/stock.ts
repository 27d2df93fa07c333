/** The components that come with ginit, by the short names that configs use. */
import { readFileSync } from 'node:fs';
import { isRecord } from '@ginit/core';
import { BUNDLED } from '@ginit/core/supervisor';
import { isHolder } from '../model/index.ts';
import { form } from './form.ts';
import type { WantedAllowance } from './imports/index.ts';

/** This package. */
const PACKAGE = new URL('../../', import.meta.url);

const STOCK: Readonly<Record<string, string>> = {
  block_tester: '@ginit/block/block_tester',
  blockcache: '@ginit/blockcache',
  dummy: '@ginit/os/dummy',
  dynamic_rom: '@ginit/os/dynamic_rom',
  fault_block: '@ginit/block/fault_block',
  file_block: '@ginit/block/file_block',
  framebuffer_png: '@ginit/os/framebuffer_png',
  fs_rom: '@ginit/os/fs_rom',
  fs_tool: '@ginit/os/fs_tool',
  fuse: '@ginit/os/fuse',
  host_rom: '@ginit/os/host_rom',
  http_block: '@ginit/block/http_block',
  image_block: '@ginit/block/image_block',
  init: '@ginit/init/component',
  log_report: '@ginit/os/log_report',
  nbd_block: '@ginit/block/nbd_block',
  nbd_server: '@ginit/block/nbd_server',
  part_block: '@ginit/block/part_block',
  ram_block: '@ginit/block/ram_block',
  ram_fs: '@ginit/os/ram_fs',
  trace_fs: '@ginit/os/trace_fs',
  report_log: '@ginit/os/report_log',
  report_rom: '@ginit/os/report_rom',
  rom_block: '@ginit/block/rom_block',
  rom_filter: '@ginit/os/rom_filter',
  rumpfs: '@ginit/rumpfs/main',
  sequence: '@ginit/init/sequence',
  snapshot_block: '@ginit/block/snapshot_block',
  socket_terminal: '@ginit/os/socket_terminal',
  terminal_crosslink: '@ginit/os/terminal_crosslink',
  terminal_log: '@ginit/os/terminal_log',
  vfs: '@ginit/os/vfs',
  vfs_block: '@ginit/block/vfs_block',
  vmm: '@ginit/vmm',
};

/**
 * What ginit trusts libraries of its own components with. The text of the rule is the same as for
 * any component; here ginit says of a library what a config would say by `<allow>`.
 */
export interface StockTrust {
  readonly allowances: readonly WantedAllowance[];
  /**
   * Files that these libraries read: each lies beside a file of code of that name, and a jail has
   * to let it be read.
   */
  readonly data: readonly { readonly beside: string; readonly name: string }[];
}

const NO_TRUST: StockTrust = { allowances: [], data: [] };
const TRUST: Readonly<Record<string, StockTrust>> = {
  // Both load their WebAssembly; v86 also asks for random numbers.
  vmm: {
    allowances: [
      { module: 'v86', uses: ['crypto', 'fs/promises'], anything: false },
      { module: 'node-liblzma', uses: [], anything: true },
    ],
    data: [
      { beside: 'libv86.mjs', name: 'v86.wasm' },
      { beside: 'liblzma.js', name: 'liblzma.wasm' },
    ],
  },
};

/**
 * The trust in the libraries of the component at this URL: none, unless it is a stock component.
 */
export function stockTrust(moduleUrl: string): StockTrust {
  const found = Object.entries(TRUST).find(([name]) => stockModule(name) === moduleUrl);
  return found ? found[1] : NO_TRUST;
}

/** The short names, sorted. */
export const STOCK_NAMES: readonly string[] = Object.keys(STOCK).toSorted();

const known = new Map<string, string>();

/** Module URL of a stock component; `undefined` if there is none of that name. */
export function stockModule(name: string): string | undefined {
  const url = known.get(name) ?? resolveStock(name);
  if (url !== undefined) known.set(name, url);
  return url;
}

/** Whether the module at this URL runs the start nodes of its config, and hands its grants on. */
export function isHolderModule(moduleUrl: string): boolean {
  return STOCK_NAMES.some((name) => isHolder(name) && stockModule(name) === moduleUrl);
}

function resolveStock(name: string): string | undefined {
  const specifier = Object.hasOwn(STOCK, name) ? STOCK[name] : undefined;
  if (specifier === undefined) return undefined;
  const url = import.meta.resolve(specifier);
  return BUNDLED ? url.replace(/.*\/dist\//, (before) => before.replace(/dist\/$/, 'bundle/')) : url;
}

/** The file of the bundle into which the build writes the manifests of stock components. */
export const STOCK_MANIFESTS = 'stock-manifests.json';
let manifests: Readonly<Record<string, unknown>> | undefined;

/**
 * The manifest of a stock component as the build has read it, so that none of its code runs when a
 * config is checked. The simulator, which runs modules instead of the bundle, uses it too.
 * `undefined` if there is none, also where the bundle is older than the modules; then the manifest
 * is read like that of any other component.
 */
export function stockManifest(name: string): { readonly manifest: unknown } | undefined {
  manifests ??= form(PACKAGE) === 'bundle' ? readManifests() : {};
  return Object.hasOwn(manifests, name) ? { manifest: manifests[name] } : undefined;
}

function readManifests(): Readonly<Record<string, unknown>> {
  try {
    const content: unknown = JSON.parse(readFileSync(new URL(`bundle/${STOCK_MANIFESTS}`, PACKAGE), 'utf8'));
    return isRecord(content) ? content : {};
  } catch {
    return {};
  }
}
