/**
 * The packages of this workspace, installed elsewhere without koffi, as where no prebuilt binary of
 * it exists.
 */
import { cpSync, existsSync, mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = fileURLToPath(new URL('../../packages', import.meta.url));
const OURS = ['core', 'init', 'os', 'block', 'blockcache', 'rumpfs', 'vmm'];
const POLYFILL = 'sharedarraybuffer-polyfill';
/** Other packages, by the one of ours that needs them. */
const OTHERS = [
  ['core', 'msgpackr'],
  ['core', 'saxes'],
  ['init', 'es-module-lexer'],
  ['init', 'acorn'],
] as const;

/** Installs into `directory`; the result is the path of the command. */
export function installWithoutKoffi(directory: string): string {
  const modules = join(directory, 'node_modules');
  // A workplace has the workspace's own there.
  rmSync(modules, { recursive: true, force: true });
  mkdirSync(join(modules, '@ginit'), { recursive: true });
  const install = (name: string, as: string): void => {
    for (const part of ['dist', 'bundle', 'bin', 'package.json']) {
      if (!existsSync(join(PACKAGES, name, part))) continue;
      cpSync(join(PACKAGES, name, part), join(modules, as, part), { recursive: true });
    }
  };
  for (const name of OURS) install(name, `@ginit/${name}`);
  install(POLYFILL, POLYFILL);
  for (const [user, name] of OTHERS) {
    symlinkSync(realpathSync(join(PACKAGES, user, 'node_modules', name)), join(modules, name));
  }
  return join(modules, '@ginit', 'init', 'bin', 'ginit.js');
}
