/** The host as drivers reach it: what they have open is bounded. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LIMITS } from '../src/limits.ts';
import { nodeHost } from '../src/platform/thread/host-access/node-host.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ginit-host-'));
  writeFileSync(join(directory, 'file'), 'content');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('open files are counted until they are closed, and files that could not be opened are not counted', async () => {
  const host = nodeHost(undefined, () => {});
  const placeOf = (path: string): { target: string; path: string } => ({
    target: join(directory, path),
    path,
  });
  await expect(host.openFile(placeOf('missing'), 'ro')).rejects.toMatchObject({ code: 'NotFound' });
  const files = await Promise.all(
    Array.from({ length: LIMITS.hostObjects }, () => host.openFile(placeOf('file'), 'ro')),
  );
  await expect(host.openFile(placeOf('file'), 'ro')).rejects.toMatchObject({ code: 'LimitExceeded' });
  await files.pop()?.close();
  files.push(await host.openFile(placeOf('file'), 'ro'));
  for (const file of files) await file.close();
});
