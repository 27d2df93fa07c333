/** A file of the host as the place of an image. */
import { RpcError } from '@ginit/core';
import { expect, test } from 'vitest';
import { HostFileDevice } from '../../src/image/host-file-device.ts';
import { RawImage } from '../../src/image/raw/raw-image.ts';

test.each(['InputOutput', 'NoSpace'])('after a SYNC that failed with %s none succeeds', async (code) => {
  let failures = 1;
  const nothing = async (): Promise<void> => {};
  const device = new HostFileDevice({
    sizeBytes: 4096,
    writeable: true,
    read: nothing,
    write: nothing,
    resize: nothing,
    discard: async () => true,
    close: nothing,
    zero: async () => true,
    size: async () => 4096,
    onResized: () => () => {},
    sync: async () => {
      if (failures-- > 0) throw new RpcError(code, 'the host has lost writes');
    },
  });
  const image = new RawImage(device, true);
  await expect(image.sync()).rejects.toMatchObject({ code });
  await expect(image.sync()).rejects.toMatchObject({ code });
});
