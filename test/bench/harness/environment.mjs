/** The origin of figures: machine, versions, commit. A figure without these says nothing. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

/** Root of the workspace. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The output of a command; `undefined` if the command does not exist or fails. */
function outputOf(command, ...args) {
  const { status, stdout } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Whether a command can be run. */
export function hasCommand(command) {
  return outputOf(command, '--version') !== undefined;
}

function commit() {
  const hash = outputOf('git', 'rev-parse', '--short', 'HEAD');
  if (hash === undefined) return 'unknown';
  return outputOf('git', 'status', '--porcelain', '--', 'packages') === '' ? hash : `${hash} and changes`;
}

/** The load of the machine: on a machine that others use, figures are worse than they need be. */
export function load() {
  return loadavg()[0]?.toFixed(2) ?? 'unknown';
}

/** Lines that describe the machine and the code. */
export function environmentLines() {
  const [cpu] = cpus();
  const gcc = outputOf('gcc', '-dumpfullversion');
  return [
    `cpu     ${cpu?.model.trim() ?? 'unknown'}, ${cpus().length} of them, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    `system  ${process.platform} ${release()} ${process.arch}`,
    `node    ${process.versions.node} (V8 ${process.versions.v8}), gcc ${gcc ?? 'not there'}`,
    `commit  ${commit()}`,
    `date    ${new Date().toISOString().slice(0, 16)}Z, load average ${load()}`,
  ];
}

/** Numbers of the CPUs that this process may use. */
export function allowedCpus() {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
    return list.split(',').flatMap((part) => {
      const [first, last = first] = part.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
  } catch {
    return cpus().map((_, index) => index);
  }
}
