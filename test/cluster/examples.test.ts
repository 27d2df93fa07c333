/** Runs the examples of clusters as their comments say, on one machine. */
import { copyFileSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { TestCluster } from '../harness/cluster.ts';
import { JAILABLE } from '../harness/jailable.ts';
import { leftOut } from '../harness/long.ts';
import { noNatsServer } from '../harness/nats-server.ts';

const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

let cluster: TestCluster;

afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
});

const left = noNatsServer !== undefined || !JAILABLE || leftOut(true);

test.skipIf(left)('a file system over three machines', async () => {
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

test.skipIf(left)('a server that is attached', async () => {
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
