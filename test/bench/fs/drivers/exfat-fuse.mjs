/** exfat-fuse, which mounts nothing but devices: the image becomes one. */
import { execFileSync } from 'node:child_process';
import { overMount } from './mounted.mjs';

export function open(parts) {
  const { image, point } = parts;
  const mount = () => {
    const device = execFileSync('losetup', ['--show', '-f', image], { encoding: 'utf8' }).trim();
    try {
      execFileSync('mount.exfat-fuse', [device, point], { stdio: 'pipe' });
    } finally {
      // While it is mounted this waits for the end of that.
      execFileSync('losetup', ['-d', device]);
    }
  };
  return overMount(parts, mount, /^(fuse|exfat)/);
}
