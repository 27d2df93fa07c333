/** `ginit mount`: mounts the file system in a disk image at a directory of the host. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Output } from '../output.ts';
import { mountConfig } from './mount-config.ts';
import { MOUNT_HELP, parseMountArguments } from './options.ts';

const USAGE_EXIT_CODE = 2;
const CONFIG_NAME = 'mount.xml';

/**
 * Runs the command with the arguments after `mount`, `run` a system by its config file. The result
 * is the exit code.
 */
export async function mount(
  args: readonly string[],
  output: Output,
  run: (file: string) => Promise<number>,
): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    await output.text(MOUNT_HELP);
    return 0;
  }
  const options = parseMountArguments(args, existsSync);
  if (typeof options === 'string') {
    output.say(options);
    output.say('try "ginit mount --help"');
    return USAGE_EXIT_CODE;
  }
  const directory = mkdtempSync(join(tmpdir(), 'ginit-mount-'));
  try {
    const paths = { image: resolve(options.image), directory: resolve(options.directory) };
    const file = join(directory, CONFIG_NAME);
    writeFileSync(file, mountConfig(options, paths));
    return await run(file);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
