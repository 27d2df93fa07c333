/** The kernel's list of mounts. */
import { expect, test } from 'vitest';
import { parseMountTable } from '../src/platform/thread/host-access/mount-table.ts';

test('places may have spaces and bytes that are no text; lines that are none are left out', () => {
  const lines = [
    '22 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw',
    String.raw`67 44 0:40 / /tmp/a\040b\134c\012 rw,nosuid - fuse.ginit ginit:root rw,user_id=0`,
    '68 44 0:41 / /tmp/\u00c3\u00bc rw - fuse.ginit x rw',
    'nothing of that kind',
    '',
  ];
  expect(parseMountTable(lines.join('\n'))).toEqual([
    { device: '254:0', point: '/', type: 'ext4' },
    { device: '0:40', point: '/tmp/a b\\c\n', type: 'fuse.ginit' },
    { device: '0:41', point: '/tmp/\u00c3\u00bc', type: 'fuse.ginit' },
  ]);
});
