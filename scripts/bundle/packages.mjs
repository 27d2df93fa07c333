// What is bundled: of each package the modules that are loaded by their names (entries), and how the others are put together.
// A chunk has the modules that all of its `reachedFrom` lead to and that are in no chunk before it; whoever needs one of them
// loads them all, so chunks follow what runs together: a component's thread, a domain process, the command. `inlined` packages
// (by the file that Node finds) become part of the bundle, with their licences beside it; all others are imported as they are. Modules that match `outside` stay
// in `dist/`.
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Every module below `directory`, by its path without `.js`. */
function modulesBelow(directory, except) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.js'))
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).slice(0, -'.js'.length))
    .filter((module) => !module.startsWith(except))
    .toSorted();
}

export const PACKAGES = [
  {
    directory: 'sharedarraybuffer-polyfill',
    name: 'sharedarraybuffer-polyfill',
    entries: () => ['index', 'futex-word', 'mapped-buffer', 'wait-helper-main'],
    chunks: [{ name: 'shared', reachedFrom: ['index'] }],
  },
  {
    directory: 'core',
    name: '@ginit/core',
    // Any module of it can be imported, and must be the same that the runtime has. The simulator gives each component a module
    // graph of its own, and runs from the modules.
    entries: (dist) => modulesBelow(dist, 'platform/sim/'),
    inlined: { 'msgpackr/pack': 'msgpackr/index.js' },
    chunks: [
      { name: 'base', reachedFrom: ['platform/process/domain-main', 'platform/thread/component-main'] },
      { name: 'component', reachedFrom: ['platform/thread/component-main'] },
      { name: 'domain', reachedFrom: ['platform/process/domain-main'] },
      { name: 'supervisor', reachedFrom: ['supervisor'] },
    ],
  },
  {
    directory: 'os',
    name: '@ginit/os',
    entries: () => ['file_block/main', 'fs_tool/main', 'part_block/main', 'ram_block/main'],
    chunks: [],
  },
  { directory: 'blockcache', name: '@ginit/blockcache', entries: () => ['main'], chunks: [] },
  { directory: 'rumpfs', name: '@ginit/rumpfs', entries: () => ['main'], chunks: [] },
  {
    directory: 'init',
    name: '@ginit/init',
    entries: () => ['command/main', 'component/main', 'index'],
    // The command of the simulator runs from the modules, as the simulator does.
    outside: /^command\/sim\//,
    chunks: [{ name: 'component', reachedFrom: ['component/main'] }],
  },
];

/** Files that change whenever the bundle would, by their paths from `packages/`: tsc writes the first ones whenever it compiles. */
export const DECIDING_FILES = [
  ...PACKAGES.map(({ directory }) => `${directory}/tsconfig.tsbuildinfo`),
  '../scripts/bundle/bundle.mjs',
  '../scripts/bundle/packages.mjs',
];
