/**
 * Programs of the host that a driver runs, each behind a warden that ends it with the driver
 * (`program-warden.ts`).
 */
import type { ChildProcess } from 'node:child_process';
import { Duplex } from 'node:stream';
import { assert, RpcError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type {
  HostErrorCode,
  HostPlace,
  HostProcess,
  HostProcessEnd,
  HostSink,
  HostSource,
} from '../../../runtime/host-access.ts';
import { hostError } from '../../host/host-error.ts';
import type { MemoryPins } from '../memory/memory-pins.ts';
import { NodeSink, NodeSource } from './node-streams.ts';
import type { OpenThings } from './open-things.ts';

const WARDEN = new URL('./program-warden.js', import.meta.url).pathname;
const WHAT = 'program';

/** Starts a program; settles when it runs. */
export async function runProgram(
  { target, path }: HostPlace,
  args: readonly string[],
  things: OpenThings,
  pins: MemoryPins | undefined,
): Promise<HostProcess> {
  checkArguments(path, args);
  const closed = things.add();
  const warden = process
    .getBuiltinModule('node:child_process')
    .spawn(process.execPath, [WARDEN, target, ...args], {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      env: {},
      cwd: '/',
    });
  warden.on('close', closed);
  // If there is no process, there is nothing to close.
  warden.on('error', closed);
  const program = new NodeProgram(warden, path, pins);
  await program.started;
  return program;
}

/**
 * Checks arguments. Their lengths are bounded by what the kernel takes; a NUL would cut a text
 * short.
 */
function checkArguments(path: string, args: readonly string[]): void {
  const bytes = args.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
  if (args.length > LIMITS.hostProgramArguments || bytes > LIMITS.hostProgramArgumentBytes)
    throw new RpcError<HostErrorCode>('LimitExceeded', `program "${path}": too many arguments`);
  if (args.some((text) => text.includes('\0')))
    throw new RpcError<HostErrorCode>('Unsupported', `program "${path}": an argument holds a NUL`);
}

class NodeProgram implements HostProcess {
  readonly input: HostSink;
  readonly output: HostSource;
  readonly errors: HostSource;
  readonly started: Promise<void>;
  readonly ended: Promise<HostProcessEnd>;
  readonly #line: Duplex;

  constructor(warden: ChildProcess, path: string, pins: MemoryPins | undefined) {
    const { stdin, stdout, stderr } = warden;
    const line = warden.stdio[3];
    assert(stdin !== null && stdout !== null && stderr !== null, 'the warden has been given pipes');
    assert(line instanceof Duplex, 'the fourth of them is a pair of sockets');
    this.#line = line;
    this.input = new NodeSink(stdin, { what: WHAT, path }, pins);
    this.output = new NodeSource(stdout, { what: WHAT, path });
    this.errors = new NodeSource(stderr, { what: WHAT, path });
    const words = wardenWords(warden, line);
    this.started = words.started.then((failure) => {
      if (failure !== undefined) throw hostError(failure, path, WHAT);
    });
    this.ended = words.ended;
  }

  kill(signal: 'TERM' | 'KILL' | 'INT' | 'HUP' = 'TERM'): void {
    if (this.#line.writable) this.#line.write(`${signal}\n`);
  }
}

/** Takes the messages of the warden: that the program runs or cannot run, and how it has ended. */
function wardenWords(
  warden: ChildProcess,
  line: Duplex,
): { readonly started: Promise<Error | undefined>; readonly ended: Promise<HostProcessEnd> } {
  let tellStarted: (failure: Error | undefined) => void = () => {};
  let tellEnded: (end: HostProcessEnd) => void = () => {};
  const started = new Promise<Error | undefined>((resolve) => (tellStarted = resolve));
  const ended = new Promise<HostProcessEnd>((resolve) => (tellEnded = resolve));
  let rest = '';
  line.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const [word, value = ''] of lines.map((one) => one.split(' '))) {
      if (word === 'started') tellStarted(undefined);
      if (word === 'failed') tellStarted(Object.assign(new Error('not started'), { code: value }));
      if (word === 'ended') tellEnded(endOf(value));
    }
  });
  line.on('error', () => {});
  const gone = (): void => {
    tellStarted(new Error('the warden has ended'));
    tellEnded({ code: undefined, signal: 'SIGKILL' });
  };
  warden.on('error', (error) => tellStarted(error)).on('close', gone);
  return { started, ended };
}

function endOf(value: string): HostProcessEnd {
  return value.startsWith('SIG')
    ? { code: undefined, signal: value }
    : { code: Number(value), signal: undefined };
}
