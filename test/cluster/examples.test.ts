/** Runs the examples of clusters as their comments say, on one machine. */
import { copyFileSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { noCluster, TestCluster } from '../harness/cluster.ts';
import { skipIfLong } from '../harness/long.ts';

const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

let cluster: TestCluster | undefined;

beforeEach((context) => {
  context.skip(noCluster !== undefined, noCluster);
  skipIfLong(context);
});

afterEach(async () => {
  await cluster?.[Symbol.asyncDispose]();
  cluster = undefined;
});

test('a file system over three machines', async () => {
  cluster = await TestCluster.start('a', 'b', 'c');
  for (const name of ['cluster.xml', 'lend.xml']) copyFileSync(example(name), cluster.place.path(name));
  cluster.place.write('disk.img', gunzipSync(readFileSync(example('disk.img.gz'))));
  cluster.node('a', '--lend', 'lend.xml');
  cluster.node('b');
  cluster.node('c');
  const head = cluster.runHead('cluster.xml');
  const { code, stdout } = await head.finished;
  expect(stdout).toMatch(/\[init -> tool\] .*new\.txt/);
  expect(code).toBe(0);
});

test('a server that is attached', async () => {
  cluster = await TestCluster.start('greeter');
  for (const name of ['greeter.mjs', 'visitor.mjs']) copyFileSync(example(name), cluster.place.path(name));
  const config = readFileSync(example('attach.xml'), 'utf8').replace(
    /key="U[A-Z2-7]+"/,
    `key="${cluster.keyOf('greeter')}"`,
  );
  cluster.place.write('attach.xml', config);
  const head = cluster.runHead('attach.xml');
  cluster.attach('greeter', 'greeter.mjs');
  const { code, stdout } = await head.finished;
  expect(stdout).toContain('[init -> visitor] Hello, world (from visitor)');
  expect(code).toBe(0);
});
