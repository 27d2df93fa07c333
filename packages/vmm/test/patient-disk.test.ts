/** Disks with patience: what can be mended is held and tried again, what cannot be is failed. */
import { RpcError } from '@ginit/core';
import { expect, test } from 'vitest';
import { type GuestDisk, PatientDisk } from '../src/machine/patient-disk.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The calls of every method of a disk. */
const METHODS: Readonly<Record<string, (disk: GuestDisk) => Promise<unknown>>> = {
  read: (disk) => disk.read(0, 1, new Uint8Array(512)),
  write: (disk) => disk.write(0, 1, new Uint8Array(512)),
  readWith: (disk) => disk.readWith(0, 1, () => {}),
  writeWith: (disk) => disk.writeWith(0, 1, () => {}),
  sync: (disk) => disk.sync(),
  trim: (disk) => disk.trim(0, 1),
};

/** A disk with patience over one that fails while there is an error. */
function patient(first: string) {
  const seen = { requests: 0, held: [] as string[] };
  let error: RpcError | undefined = new RpcError(first);
  const answer = async <Result>(result: () => Result): Promise<Result> => {
    seen.requests++;
    if (error) throw error;
    return result();
  };
  const disk = new PatientDisk(
    {
      info: { blockSize: 512, blockCount: 8, alignLog2: 0, writeable: true },
      requestBlocksMax: 4,
      read: () => answer(() => {}),
      write: () => answer(() => {}),
      readWith: (_block, _count, use) => answer(() => use(new Uint8Array(512))),
      writeWith: (_block, _count, fill) => answer(() => fill(new Uint8Array(512))),
      sync: () => answer(() => {}),
      trim: () => answer(() => {}),
    },
    (code) => seen.held.push(code),
  );
  return { disk, seen, mend: () => (error = undefined) };
}

/** What has become of a request so far. */
function outcomeOf(request: Promise<unknown>): { text: string } {
  const outcome = { text: 'open' };
  request.then(
    () => (outcome.text = 'done'),
    (error: unknown) => (outcome.text = String(error)),
  );
  return outcome;
}

test.each(
  Object.keys(METHODS).flatMap((method) => ['NoSpace', 'Gone', 'PeerGone'].map((code) => [method, code])),
)('%s is held while it fails with %s, and done when that is mended', async (method, code) => {
  const { disk, seen, mend } = patient(code);
  const outcome = outcomeOf(METHODS[method]?.(disk) ?? Promise.reject(new Error(method)));
  await turn();
  expect([outcome.text, seen]).toEqual(['open', { requests: 1, held: [code] }]);
  disk.retry();
  await turn();
  expect([outcome.text, seen]).toEqual(['open', { requests: 2, held: [code, code] }]);
  mend();
  disk.retry();
  await turn();
  expect([outcome.text, seen.requests]).toEqual(['done', 3]);
});

test('what the medium fails is not held', async () => {
  const { disk, seen } = patient('InputOutput');
  const outcome = outcomeOf(disk.trim(0, 1));
  await turn();
  expect([outcome.text, seen.held]).toEqual([expect.stringContaining('InputOutput'), []]);
});

test('at its end what is held fails, and nothing is held any more', async () => {
  const { disk, seen } = patient('NoSpace');
  const held = outcomeOf(disk.sync());
  await turn();
  disk.end();
  const later = outcomeOf(disk.sync());
  await turn();
  const failed = expect.stringContaining('NoSpace');
  expect([held.text, later.text, seen.held]).toEqual([failed, failed, ['NoSpace']]);
});

test('what was asked before it was given up is neither held nor repeated; later requests are', async () => {
  const { disk, seen } = patient('NoSpace');
  const held = outcomeOf(disk.trim(0, 1));
  await turn();
  const underWay = outcomeOf(disk.trim(1, 1));
  disk.giveUp();
  await turn();
  const later = outcomeOf(disk.trim(2, 1));
  await turn();
  disk.retry();
  await turn();
  const failed = expect.stringContaining('NoSpace');
  expect([held.text, underWay.text, later.text]).toEqual([failed, failed, 'open']);
  expect(seen).toEqual({ requests: 4, held: ['NoSpace', 'NoSpace', 'NoSpace'] });
});
