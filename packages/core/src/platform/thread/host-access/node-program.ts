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
  const warden = new Warden(path, [target, ...args], things);
  await warden.started;
  return warden.process(pins);
}

/**
 * Checks arguments. Their lengths are bounded by what the kernel takes; a NUL would cut a text
 * short.
 */
export function checkArguments(path: string, args: readonly string[]): void {
  const bytes = args.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
  if (args.length > LIMITS.hostProgramArguments || bytes > LIMITS.hostProgramArgumentBytes)
    throw new RpcError<HostErrorCode>('LimitExceeded', `program "${path}": too many arguments`);
  if (args.some((text) => text.includes('\0')))
    throw new RpcError<HostErrorCode>('Unsupported', `program "${path}": an argument holds a NUL`);
}

/** The driver's end of a warden. Its promises reject with `HostError`. */
export class Warden {
  /** Settles with the private directory that it has made, if it was to make one. */
  readonly directory: Promise<string>;
  /** Settles when the program runs. */
  readonly started: Promise<void>;
  readonly ended: Promise<HostProcessEnd>;
  /** Settles when the warden itself has ended, or there is none. */
  readonly gone: Promise<void>;
  readonly #path: string;
  readonly #warden: ChildProcess;
  readonly #line: Duplex;
  #asksForUse: ((us: number | undefined) => void)[] = [];

  /** `words` are the program's file and arguments; none for a private directory. */
  constructor(path: string, words: readonly string[], things: OpenThings) {
    this.#path = path;
    const closed = things.add();
    const warden = process
      .getBuiltinModule('node:child_process')
      .spawn(process.execPath, [WARDEN, ...words], {
        stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
        env: {},
        cwd: '/',
        // In a group of its own: who kills all of ginit's, leaves it to end the program.
        detached: true,
      });
    const line = warden.stdio[3];
    assert(line instanceof Duplex, 'the fourth of them is a pair of sockets');
    this.#warden = warden;
    this.#line = line;
    const said = wardenWords(warden, line, (us) => this.#used(us));
    const unlessFailed = <Value>(failure: Value | Error): Value => {
      if (failure instanceof Error) throw hostError(failure, path, WHAT);
      return failure;
    };
    this.directory = said.directory.then(unlessFailed);
    this.started = said.started.then(unlessFailed);
    // Whoever does not ask for one of them does not want to know of its failure either.
    this.directory.catch(() => {});
    this.started.catch(() => {});
    this.ended = said.ended;
    this.gone = new Promise((resolve) => {
      // If there is no process, there is nothing to close.
      for (const event of ['close', 'error'] as const) {
        warden.on(event, () => {
          closed();
          resolve();
        });
      }
    });
  }

  /** Says something to it. */
  say(words: string): void {
    if (this.#line.writable) this.#line.write(`${words}\n`);
  }

  /** Leaves it, so that it ends whatever it has started. */
  leave(): void {
    this.#used(undefined);
    this.#line.destroy();
    for (const stream of [this.#warden.stdin, this.#warden.stdout, this.#warden.stderr]) stream?.destroy();
  }

  /** The program that it runs. */
  process(pins: MemoryPins | undefined): HostProcess {
    const { stdin, stdout, stderr } = this.#warden;
    const name = { what: WHAT, path: this.#path };
    assert(stdin !== null && stdout !== null && stderr !== null, 'the warden has been given pipes');
    const input: HostSink = new NodeSink(stdin, name, pins);
    const output: HostSource = new NodeSource(stdout, name);
    const errors: HostSource = new NodeSource(stderr, name);
    return {
      input,
      output,
      errors,
      ended: this.ended,
      cpuUs: () => this.#cpuUs(),
      kill: (signal = 'TERM') => this.say(signal),
    };
  }

  /** Whoever asks while somebody waits for the answer gets the same. */
  async #cpuUs(): Promise<number | undefined> {
    if (!this.#line.writable) return undefined;
    if (this.#asksForUse.length === 0) this.say('use');
    return new Promise((resolve) => this.#asksForUse.push(resolve));
  }

  #used(us: number | undefined): void {
    for (const resolve of this.#asksForUse.splice(0)) resolve(us);
  }
}

interface WardenWords {
  readonly directory: Promise<string | Error>;
  readonly started: Promise<Error | undefined>;
  readonly ended: Promise<HostProcessEnd>;
}

/** Takes the messages of the warden. */
function wardenWords(
  warden: ChildProcess,
  line: Duplex,
  used: (us: number | undefined) => void,
): WardenWords {
  let tellDirectory: (directory: string | Error) => void = () => {};
  let tellStarted: (failure: Error | undefined) => void = () => {};
  let tellEnded: (end: HostProcessEnd) => void = () => {};
  const directory = new Promise<string | Error>((resolve) => (tellDirectory = resolve));
  const started = new Promise<Error | undefined>((resolve) => (tellStarted = resolve));
  const ended = new Promise<HostProcessEnd>((resolve) => (tellEnded = resolve));
  const failed = (error: Error): void => {
    tellDirectory(error);
    tellStarted(error);
  };
  const hear = (text: string): void => {
    const [, word, value = ''] = /^(\w+) ?(.*)$/.exec(text) ?? [];
    if (word === 'directory') tellDirectory(value);
    if (word === 'started') tellStarted(undefined);
    if (word === 'failed') failed(Object.assign(new Error('not started'), { code: value }));
    if (word === 'ended') tellEnded(endOf(value));
    if (word === 'used') used(value === '' ? undefined : Number(value));
  };
  let rest = '';
  line.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const one of lines) hear(one);
  });
  line.on('error', () => {});
  const gone = (): void => {
    failed(new Error('the warden has ended'));
    tellEnded({ code: undefined, signal: 'SIGKILL' });
    used(undefined);
  };
  warden.on('error', failed).on('close', gone);
  return { directory, started, ended };
}

function endOf(value: string): HostProcessEnd {
  return value.startsWith('SIG')
    ? { code: undefined, signal: value }
    : { code: Number(value), signal: undefined };
}
