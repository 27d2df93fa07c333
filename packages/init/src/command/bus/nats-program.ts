/** The program nats-server: where it is, and whether it will do. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAME = 'nats-server';
/** Debian has it there, which is not in everybody's PATH. */
const DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/opt/homebrew/bin'];
const MAJOR_MIN = 2;
const MINOR_MIN = 9;
const ASK_MS = 10_000;

const HOW_TO_GET_IT = [
  'nats-server is not installed:',
  '  Debian, Ubuntu   apt install nats-server',
  '  macOS            brew install nats-server',
  '  all others       https://github.com/nats-io/nats-server/releases',
].join('\n');

/** The program, or the reason why there is none. */
export type NatsProgram = { readonly path: string; readonly version: string } | { readonly problem: string };

/** Looks for the program; `wanted` is a path that somebody has given. */
export function findNatsProgram(wanted: string | undefined): NatsProgram {
  const path = wanted ?? search();
  if (path === undefined) return { problem: HOW_TO_GET_IT };
  const { status, stdout, error } = spawnSync(path, ['-v'], {
    encoding: 'utf8',
    timeout: ASK_MS,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [, version = '', major, minor] = /nats-server: v((\d+)\.(\d+)\S*)/.exec(stdout ?? '') ?? [];
  if (error || status !== 0 || version === '') return { problem: `${path} is no nats-server` };
  if (Number(major) < MAJOR_MIN || (Number(major) === MAJOR_MIN && Number(minor) < MINOR_MIN)) {
    return { problem: `${path} is nats-server ${version}; ginit needs ${MAJOR_MIN}.${MINOR_MIN} or later` };
  }
  return { path, version };
}

function search(): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), ...DIRECTORIES];
  return directories
    .filter((directory) => directory !== '')
    .map((directory) => join(directory, NAME))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
