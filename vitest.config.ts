import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { TEST_TIMEOUT_MS } from './test/harness/patience.ts';

const source = (path: string): string => fileURLToPath(new URL(`packages/${path}`, import.meta.url));

/** Where tests of whole systems are. */
const SYSTEMS = fileURLToPath(new URL('test/', import.meta.url));
const EVERY_TEST = ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'];
/**
 * Tests that change or measure their own process: each file gets a process to itself. All others
 * share the processes of their workers, which load our sources once and not anew for each file; so
 * a test file may leave nothing behind in its process.
 */
const OWN_PROCESS = [
  'test/!(conformance|docs|house|scenarios|sim)/**/*.test.ts',
  // These set options of Node for the processes that they start, or replace a module of ours.
  'test/sim/{canary,endings,pairs-canary,pool}.test.ts',
  'packages/sharedarraybuffer-polyfill/test/**/*.test.ts',
  'packages/block/test/{http-block,nbd-block,nbd-server}.test.ts',
  'packages/core/test/open-file.test.ts',
  // These load the compiled door for simulated systems.
  'packages/init/test/testing.test.ts',
  'packages/os/test/{log-report,rom-scenarios}.test.ts',
];

/**
 * Files that take longest come first, so that the short ones keep all workers busy to the end:
 * those with a process to themselves, then those that start systems, then all others. Among these
 * the larger file comes first.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project, moduleId }: TestSpecification): number => {
      if (project.config.isolate) return 0;
      return moduleId.startsWith(SYSTEMS) ? 1 : 2;
    };
    const size = ({ moduleId }: TestSpecification): number => statSync(moduleId).size;
    return files.toSorted((a, b) => rank(a) - rank(b) || size(b) - size(a));
  }
}

export default defineConfig({
  resolve: {
    // Tests in this process run the sources, all of them, so that every module exists once. What tests start as
    // processes (scenarios) is what users run: the compiled packages.
    alias: [
      {
        find: /^sharedarraybuffer-polyfill\/(.+)$/,
        replacement: source('sharedarraybuffer-polyfill/src/$1.ts'),
      },
      {
        find: /^sharedarraybuffer-polyfill$/,
        replacement: source('sharedarraybuffer-polyfill/src/index.ts'),
      },
      { find: /^@ginit\/core$/, replacement: source('core/src/index.ts') },
      { find: /^@ginit\/core\/(.+)$/, replacement: source('core/src/$1.ts') },
      { find: /^@ginit\/simulator$/, replacement: source('simulator/src/index.ts') },
      { find: /^@ginit\/simulator\/run-seed$/, replacement: source('simulator/src/run/run-seed.ts') },
      { find: /^@ginit\/block\/(image|snapshot)$/, replacement: source('block/src/$1/index.ts') },
      { find: /^@ginit\/block\/partitions$/, replacement: source('block/src/part_block/index.ts') },
      { find: /^@ginit\/block\/nbd$/, replacement: source('block/src/nbd_server/index.ts') },
      { find: /^@ginit\/block\/(.+)$/, replacement: source('block/src/$1/main.ts') },
      { find: /^@ginit\/os\/lib\/(.+)$/, replacement: source('os/src/lib/$1.ts') },
      { find: /^@ginit\/os\/(.+)$/, replacement: source('os/src/$1/main.ts') },
      { find: /^@ginit\/blockcache$/, replacement: source('blockcache/src/main.ts') },
      { find: /^@ginit\/rumpfs$/, replacement: source('rumpfs/src/index.ts') },
      { find: /^@ginit\/rumpfs\/(.+)$/, replacement: source('rumpfs/src/$1.ts') },
      { find: /^@ginit\/vmm$/, replacement: source('vmm/src/main.ts') },
      { find: /^@ginit\/init$/, replacement: source('init/src/index.ts') },
      { find: /^@ginit\/init\/component$/, replacement: source('init/src/component/main.ts') },
      { find: /^@ginit\/init\/sequence$/, replacement: source('init/src/sequence/main.ts') },
    ],
  },
  test: {
    projects: [
      { extends: true, test: { name: 'own', include: OWN_PROCESS, isolate: true } },
      {
        extends: true,
        test: {
          name: 'shared',
          include: EVERY_TEST,
          exclude: [...configDefaults.exclude, ...OWN_PROCESS],
          isolate: false,
        },
      },
    ],
    sequence: { sequencer: LongestFirst },
    // The door for simulated systems starts threads and reads manifests: it runs compiled, as it does for those who use it.
    server: { deps: { external: [/\/packages\/init\/dist\//] } },
    setupFiles: ['test/property-seed.ts'],
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    // Many tests wait, for processes that start and bounds that pass: one file more than there are
    // cores keeps a machine of two busy.
    maxWorkers: 3,
    pool: 'forks',
  },
});
