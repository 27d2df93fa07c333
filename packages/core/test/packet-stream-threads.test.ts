import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';

/**
 * Two worker threads, one the source and one the sink of a stream, with nothing between them but a
 * MessagePort for frames and, in one form, the memory. Both check every byte of what they get.
 */

let directory = '';

/**
 * Workers cannot load TypeScript: compile what is under test, as it is now, to a place of our own.
 */
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'packet-stream-'));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  const compiler = createRequire(import.meta.url).resolve('typescript/package.json');
  const sources = fileURLToPath(new URL('../src/packet-stream/index.ts', import.meta.url));
  const flags =
    '--ignoreConfig --target es2023 --module nodenext --noCheck --rewriteRelativeImportExtensions';
  execFileSync(process.execPath, [
    join(dirname(compiler), 'bin', 'tsc'),
    ...flags.split(' '),
    '--outDir',
    directory,
    sources,
  ]);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Result {
  readonly packets: number;
  readonly frames: number;
}

async function run(role: string, data: object, port: MessagePort): Promise<Result> {
  const library = pathToFileURL(join(directory, 'index.js')).href;
  const worker = new Worker(new URL('./packet-stream-worker.mjs', import.meta.url), {
    workerData: { ...data, role, port, library },
    transferList: [port],
  });
  try {
    return await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new Error(`worker exit ${code}`)));
    });
  } finally {
    await worker.terminate();
  }
}

test.each([
  ['shared', 120_000, 4],
  ['shared', 120_000, 256],
  ['copying', 120_000, 4],
  ['copying', 120_000, 256],
] as const)('%s, %i packets both ways, queues of %i slots', async (carrier, packets, queueSlots) => {
  const parameters = { bulkBytes: 256 * 1024, queueSlots, alignLog2: 6 };
  const shared = carrier === 'shared';
  const memory = shared ? new SharedArrayBuffer(parameters.bulkBytes + 32 * 1024) : undefined;
  const { port1, port2 } = new MessageChannel();
  const data = { packets, parameters, memory };
  const [source, sink] = await Promise.all([run('source', data, port1), run('sink', data, port2)]);
  expect(source.packets).toBe(packets);
  expect(sink.packets).toBe(packets);
  // A signal for every packet would mean that batches do not work. (Copies have to travel in any
  // case.)
  if (shared && queueSlots === 256) expect(source.frames + sink.frames).toBeLessThan(packets / 10);
});
