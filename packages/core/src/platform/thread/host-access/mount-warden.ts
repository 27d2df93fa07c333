/**
 * A process between a driver and a mount of the host that the driver serves. It has the file system
 * mounted, and outlives the driver by a moment: when its line to the driver's thread is gone,
 * however that thread ended, it takes the mount away, wherever it has been moved or bound to, so
 * that no dead mount is left. It never looks at the mount itself, which may be stuck.
 *
 * Its argument is an order as JSON. Descriptor 3 is the line, descriptor 4 the open FUSE device, or
 * for `fusermount3` the socket to which that sends the device. Over the line it says `mounted`,
 * `failed WHY`, and hears `unmount`, which it answers by `unmounted` or `busy`.
 */
import { spawn } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { parseMountTable } from './mount-table.ts';

/** What is to be mounted, and by which program. */
export interface MountOrder {
  readonly by: 'mount' | 'fusermount3';
  readonly target: string;
  readonly source: string;
  readonly options: readonly string[];
}

const LINE_DESCRIPTOR = 3;
const DEVICE_DESCRIPTOR = 4;
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };
const TYPE = 'fuse.ginit';
/** The words of a program that are passed on. */
const WORDS_MAX = 1000;
/** So often the mount is taken away before it is left, each time with a moment in between. */
const ATTEMPTS = 50;
const ATTEMPT_MS = 100;

// Whoever ends all processes of ginit in order may reach this one, too.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(name, () => {});

const order: MountOrder = JSON.parse(process.argv[2] ?? '');
const line = new Socket({ fd: LINE_DESCRIPTOR, readable: true, writable: true });
/** MAJOR:MINOR of the mount. */
let device: string | undefined;

interface ProgramEnd {
  readonly code: number;
  readonly words: string;
}

/** Runs a program; `descriptor` is its descriptor 3. */
function run(
  program: string,
  args: readonly string[],
  descriptor: number | 'ignore',
  more: Readonly<Record<string, string>> = {},
): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    const stdio = ['ignore', 'ignore', 'pipe', descriptor] as const;
    const child = spawn(program, args, { stdio: [...stdio], cwd: '/', env: { ...ENVIRONMENT, ...more } });
    let words = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(0, WORDS_MAX);
    });
    child.on('error', (error) => resolve({ code: -1, words: error.message }));
    child.on('close', (code) => resolve({ code: code ?? -1, words: words.trim() }));
  });
}

function mount({ by, target, source, options }: MountOrder): Promise<ProgramEnd> {
  if (by === 'mount') {
    const given = ['fd=3', ...options].join(',');
    return run('mount', ['-i', '-t', TYPE, '-o', given, source, target], DEVICE_DESCRIPTOR);
  }
  const given = [`fsname=${source}`, 'subtype=ginit', ...options].join(',');
  return run('fusermount3', ['-o', given, '--', target], DEVICE_DESCRIPTOR, { _FUSE_COMMFD: '3' });
}

function entries(): { readonly device: string; readonly point: string; readonly type: string }[] {
  return parseMountTable(readFileSync('/proc/self/mountinfo', 'latin1'));
}

/** Where the mount is now, the newest place first. */
function places(): string[] {
  return entries()
    .filter((entry) => entry.device === device)
    .map(({ point }) => point)
    .toReversed();
}

/** The path of a place as bytes again. */
const asArgument = (place: string): string => Buffer.from(place, 'latin1').toString('utf8');

/** Takes the mount away. By force, the driver gets no more requests, and waiting ones fail. */
async function unmount(force: boolean): Promise<boolean> {
  for (const place of places()) {
    const path = asArgument(place);
    const end =
      order.by === 'mount'
        ? await run('umount', ['-i', '-c', ...(force ? ['-f', '-l'] : []), path], 'ignore')
        : await run('fusermount3', ['-u', '-q', ...(force ? ['-z'] : []), '--', path], 'ignore');
    if (end.code !== 0 && !force) return false;
  }
  return places().length === 0;
}

/** One thing after the other. */
let last: Promise<unknown> = Promise.resolve();
function inTurn(action: () => Promise<unknown>): void {
  last = last.then(action, action);
}

async function start(): Promise<void> {
  const before = new Set(entries().map((entry) => entry.device));
  const { code, words } = await mount(order);
  // Only the driver has the device: when it ends, the kernel ends what waits for it.
  closeSync(DEVICE_DESCRIPTOR);
  const target = Buffer.from(order.target).toString('latin1');
  device = entries().findLast((entry) => {
    return entry.point === target && entry.type === TYPE && !before.has(entry.device);
  })?.device;
  if (code === 0 && device !== undefined) line.write('mounted\n');
  else line.write(`failed ${JSON.stringify(words === '' ? `${order.by} ended with ${code}` : words)}\n`);
}

let rest = '';
line.setEncoding('utf8').on('data', (text: string) => {
  const words = (rest + text).split('\n');
  rest = words.pop() ?? '';
  for (const word of words) {
    if (word === 'unmount') inTurn(async () => line.write((await unmount(false)) ? 'unmounted\n' : 'busy\n'));
  }
});

let isGone = false;
const gone = (): void => {
  if (isGone) return;
  isGone = true;
  inTurn(async () => {
    for (let attempt = 0; attempt < ATTEMPTS && !(await unmount(true)); attempt++)
      await new Promise((resolve) => setTimeout(resolve, ATTEMPT_MS));
    process.exit(0);
  });
};
line.on('end', gone).on('error', gone).on('close', gone);

inTurn(start);
