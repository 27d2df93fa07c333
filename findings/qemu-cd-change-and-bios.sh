#!/usr/bin/env bash
# A CD is changed in a QEMU whose guest reads it through the BIOS: GRUB of the rescue disc, and SeaBIOS. The disc in the drive
# is exchanged by blockdev-open-tray, -remove-medium, -insert-medium and -close-tray, and GRUB is asked to list it, again and
# again.
#
# Best guess before trying: the first read is answered by UNIT ATTENTION, which a drive reports once, and the next one reads the
# new disc. So the BIOS, or GRUB at its next try, gets on.
#
# Found with QEMU 7.2, SeaBIOS 1.16 and GRUB 2.06: the first two reads are errors (no medium, then UNIT ATTENTION), and all that
# follow, too, for ever. QEMU's drive keeps the condition until it is asked by REQUEST SENSE; SeaBIOS asks that only while it
# looks for something to boot, not when a read fails; GRUB knows nothing but the read of the BIOS, and says "unknown
# filesystem". A guest with a driver of its own asks for the sense, and sees the new disc. There is no block device of ours here.
#
# Needs qemu-system-x86_64, node, apt-get and dpkg-deb, and some seconds. Fails if this changes.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

command -v qemu-system-x86_64 >/dev/null || { echo 'there is no QEMU' >&2; exit 2; }
node "$here/packages/init/bin/ginit.js" guests fetch grub-rescue --into . >/dev/null 2>&1 || { echo 'the guest is not to be had' >&2; exit 2; }
cp grub-rescue/cdrom.iso .
cp cdrom.iso other.iso
cat >try.mjs <<'JAVASCRIPT'
import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const node = (name, file) => ({ driver: 'file', 'node-name': name, filename: file, 'read-only': true });
const machine = '-nodefaults -machine pc,usb=off -accel tcg -m 64 -display none -vga none -device VGA';
const qemu = spawn(
  'qemu-system-x86_64',
  [
    ...machine.split(' '),
    ...['-qmp', 'unix:qmp,server=on,wait=off', '-D', 'trace', '-trace', 'ide_atapi_cmd*'],
    ...['-blockdev', JSON.stringify(node('one', 'cdrom.iso')), '-device', 'ide-cd,id=cdrom,drive=one,bootindex=1'],
  ],
  { stdio: 'inherit' },
);
process.on('exit', () => qemu.kill('SIGKILL'));
await sleep(1000);
const socket = createConnection('qmp').setEncoding('utf8');
let rest = '';
const waiting = [];
socket.on('data', (text) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  for (const message of lines.map((line) => JSON.parse(line)))
    if ('return' in message || 'error' in message) waiting.shift()?.(message);
});
const ask = (execute, args = {}) =>
  new Promise((resolve) => {
    waiting.push(resolve);
    socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
  });
const person = (line) => ask('human-monitor-command', { 'command-line': line });
const screen = async () => {
  await person('pmemsave 0xb8000 4000 screen');
  return Array.from({ length: 2000 }, (_, cell) => String.fromCharCode(readFileSync('screen')[2 * cell])).join('');
};
const sees = async (text) => {
  for (let tries = 0; tries < 400; tries++, await sleep(250)) if ((await screen()).includes(text)) return;
  throw new Error(`"${text}" is never shown`);
};
const KEYS = { ' ': 'spc', '(': 'shift-9', ')': 'shift-0', '\n': 'ret' };
const type = async (text) => {
  for (const character of text) await person(`sendkey ${KEYS[character] ?? character} 20`), await sleep(80);
};

await ask('qmp_capabilities');
await sees('GNU GRUB');
await type('c');
await sees('grub>');
await type('ls (cd)\n');
await sees('iso9660');
await ask('blockdev-open-tray', { id: 'cdrom', force: true });
await ask('blockdev-remove-medium', { id: 'cdrom' });
await ask('blockdev-add', node('two', 'other.iso'));
await ask('blockdev-insert-medium', { id: 'cdrom', 'node-name': 'two' });
await ask('blockdev-close-tray', { id: 'cdrom' });
// GRUB keeps for two seconds what it has read.
await sleep(3000);
const before = statSync('trace').size;
for (let tries = 0; tries < 3; tries++) await type('ls (cd)\n'), await sleep(3000);
const lines = readFileSync('trace', 'utf8').slice(before).split('\n');
const of = (pattern) => lines.filter((line) => pattern.test(line)).length;
console.log('no medium:', of(/cmd_error.*sense=0x2 asc=0x3a/), 'unit attention:', of(/cmd_error.*sense=0x6 asc=0x28/));
console.log('more reads that fail for it:', of(/check_status/) > 0 ? 'all' : 'none');
console.log('asked for the sense:', of(/ cmd: 0x3$/), 'reads that are answered:', of(/reply_end|cd_read/));
process.exit(0);
JAVASCRIPT
node try.mjs | tee seen
diff - seen <<'SEEN'
no medium: 1 unit attention: 1
more reads that fail for it: all
asked for the sense: 0 reads that are answered: 0
SEEN
