/** A file system that the host has mounted, used by the synchronous calls of Node, the fastest there are. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';

/** `mount()` mounts at `point`, which must then be of that kind. */
export function overMount({ point, dropCaches }, mount, kind) {
  const enter = () => {
    mount();
    const line = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .find((each) => each.split(' ')[1] === point);
    if (!kind.test(line?.split(' ')[2] ?? '')) throw new Error(`not mounted as ${kind}: ${line}`);
  };
  const leave = () => {
    for (let tried = 0; ; tried++) {
      try {
        return execFileSync('umount', [point], { stdio: 'pipe' });
      } catch (error) {
        if (tried === 50) throw error;
        execFileSync('sleep', ['0.1']);
      }
    }
  };
  enter();
  return {
    write(path, piece, count) {
      const file = openSync(point + path, 'w');
      for (let index = 0; index < count; index++)
        writeSync(file, piece, 0, piece.length, index * piece.length);
      fsyncSync(file);
      closeSync(file);
    },
    read(path, into, bytes) {
      const file = openSync(point + path);
      for (let at = 0; at < bytes; at += into.length) readSync(file, into, 0, into.length, at);
      closeSync(file);
    },
    mkdir: (path) => mkdirSync(point + path),
    create: (path) => closeSync(openSync(point + path, 'w')),
    stat: (path) => void statSync(point + path),
    unlink: (path) => unlinkSync(point + path),
    sync: () => execFileSync('sync', ['-f', point]),
    remount() {
      leave();
      dropCaches();
      enter();
    },
    end: leave,
  };
}
