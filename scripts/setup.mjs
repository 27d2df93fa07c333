// Sets everything up from a fresh clone: the pinned pnpm, the packages, the compiled sources. Does
// nothing that is done already. Install scripts are never run: nothing here needs them.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

export const root = fileURLToPath(new URL('..', import.meta.url));
const STAMP = join(root, 'node_modules', '.ginit-setup');
const EXAMPLE_DISK = join(root, 'examples', 'disk.img');
const NODE_MINIMUM = [20, 19];

function fail(text) {
  console.error(`setup: ${text}`);
  process.exit(1);
}

/**
 * Runs a program in the root of the workspace; its output is shown only if it fails, or if `show`
 * is set.
 */
export function run(command, args, { show = false } = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: show ? 'inherit' : 'pipe', encoding: 'utf8' });
  if (result.status === 0) return;
  const output = show ? '' : `\n${result.stdout ?? ''}${result.stderr ?? ''}`;
  fail(`${command} ${args.join(' ')} failed${result.error ? `: ${result.error.message}` : ''}${output}`);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const old = major < NODE_MINIMUM[0] || (major === NODE_MINIMUM[0] && minor < NODE_MINIMUM[1]);
  if (old) fail(`Node ${NODE_MINIMUM.join('.')} or newer is needed, this is ${process.versions.node}`);
}

/** Hash of what decides about the installed packages. */
function wantedPackages() {
  const hash = createHash('sha256');
  const packages = readdirSync(join(root, 'packages')).map((name) => `packages/${name}/package.json`);
  for (const file of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...packages.toSorted()]) {
    const path = join(root, file);
    if (existsSync(path)) hash.update(file).update(readFileSync(path));
  }
  return `${hash.digest('hex')} ${process.platform} ${process.arch}\n`;
}

function installPackages() {
  const wanted = wantedPackages();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  console.error(`setup: installing packages with ${packageManager}`);
  const install = ['pnpm', 'install', '--frozen-lockfile', '--ignore-scripts'];
  run('npm', ['exec', '--yes', '--ignore-scripts', `--package=${packageManager}`, '--', ...install]);
  writeFileSync(STAMP, wanted);
}

/** Makes the disk image that the example configs use, from the one in the repository. */
export function unpackExampleDisk() {
  writeFileSync(EXAMPLE_DISK, gunzipSync(readFileSync(`${EXAMPLE_DISK}.gz`)));
}

/**
 * Removes compiled modules that have no source any more. tsc leaves them when a file is moved, and
 * whoever loads a module by its path would go on with the old one.
 */
function removeOrphans() {
  for (const name of readdirSync(join(root, 'packages'))) {
    const [source, compiled] = ['src', 'dist'].map((part) => join(root, 'packages', name, part));
    if (!existsSync(compiled)) continue;
    for (const entry of readdirSync(compiled, { recursive: true, encoding: 'utf8' })) {
      const module = /^(.+?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(entry)?.[1];
      if (module !== undefined && !existsSync(join(source, `${module}.ts`))) rmSync(join(compiled, entry));
    }
  }
}

/** Compiles projects and what they build on; without any, everything, tests included. */
export function compile(projects) {
  removeOrphans();
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b', ...projects]);
}

/**
 * Bundles what is compiled, unless that is done; what is bundled runs, until tsc compiles again.
 */
export async function bundlePackages() {
  // Its bundler is there only after the packages have been installed.
  const { bundle } = await import('./bundle/bundle.mjs');
  await bundle();
}

/** Makes the workspace ready to run. */
export async function setUp() {
  checkNode();
  installPackages();
  compile(readdirSync(join(root, 'packages')).map((name) => `packages/${name}`));
  await bundlePackages();
  if (!existsSync(EXAMPLE_DISK)) unpackExampleDisk();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await setUp();
  console.error('setup: done; "npx ginit help" says what can be run');
}
