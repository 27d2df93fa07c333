import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Scenarios start processes of their own; two files side by side fill a two-core machine.
    maxWorkers: 2,
    pool: 'forks',
  },
});
