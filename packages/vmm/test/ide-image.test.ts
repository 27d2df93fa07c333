/** IDE disks: writes are stable when they are answered, and a reset keeps old requests away. */
import { expect, test } from 'vitest';
import { ideDisk, UncertainWrites } from '../src/machine/disks.ts';
import { RequestCounts } from '../src/devices/request-counts.ts';
import { IdeImage } from '../src/engine/v86/ide-image.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Requests of a disk, each of which settles when the test says so. */
function slowDisk() {
  const requests: { readonly name: string; readonly settle: () => void }[] = [];
  const ask = (name: string): Promise<void> =>
    new Promise((resolve) => requests.push({ name, settle: resolve }));
  return { requests, ask, names: () => requests.map(({ name }) => name) };
}

test('a write is followed by a SYNC before it is answered', async () => {
  const { requests, ask, names } = slowDisk();
  const disk = {
    info: { blockSize: 512, blockCount: 8, alignLog2: 0, writeable: true },
    read: () => ask('read'),
    write: (block: number) => ask(`write ${block}`),
    sync: () => ask('sync'),
  };
  const writes = new UncertainWrites();
  let [answered, settled] = [false, false];
  void ideDisk({ disk, writes }, () => {})
    .write(1024, new Uint8Array(512))
    .then(() => (answered = true));
  void writes.settled().then((areWritten) => (settled = areWritten));
  requests[0]?.settle();
  await turn();
  expect([names(), answered, settled]).toEqual([['write 2', 'sync'], false, false]);
  requests[1]?.settle();
  await turn();
  expect([answered, settled]).toEqual([true, true]);
});

test('after a reset nothing old is answered, and new requests wait until it has ended', async () => {
  const { requests, ask, names } = slowDisk();
  const disk = {
    sizeBytes: 4096,
    read: (position: number, length: number) => ask(`read ${position}`).then(() => new Uint8Array(length)),
    write: (position: number) => ask(`write ${position}`),
  };
  const image = new IdeImage(disk, new RequestCounts());
  const answers: string[] = [];
  image.get(0, 512, () => answers.push('old read'));
  image.set(512, new Uint8Array(512), () => answers.push('old write'));
  image.reset();
  image.set(512, new Uint8Array(512), () => answers.push('new write'));
  await turn();
  requests[0]?.settle();
  await turn();
  expect(names()).toEqual(['read 0', 'write 512']);
  requests[1]?.settle();
  await turn();
  expect([names(), answers]).toEqual([['read 0', 'write 512', 'write 512'], []]);
  requests[2]?.settle();
  await turn();
  expect(answers).toEqual(['new write']);
});
