/**
 * One run of QEMU: its workplace, its connections, and its end. Nothing here knows what the machine
 * is for.
 */
import type { NbdDevice } from '@ginit/block/nbd';
import { type Env, RpcError } from '@ginit/core';
import type {
  HostAccess,
  HostConnection,
  HostListener,
  HostProcess,
  HostProcessEnd,
  HostWorkplace,
} from '@ginit/core/host';
import { DiskServer } from './disk-server.ts';
import { QEMU_SOCKETS, qemuArguments, type QemuFile, type QemuSetup, sharePort } from './qemu-arguments.ts';
import { QmpClient, QmpError, type QmpEvent } from './qmp-client.ts';

/** The time that QEMU has to come up; on a machine with nothing else it takes 0.1 s. */
const START_MS = 60_000;
/** The time that QEMU has to end when it is told to, before it is killed. */
const QUIT_MS = 2000;
/** What is kept of the last line that QEMU has written to its standard error. */
const LAST_WORDS_CHARACTERS = 500;

/** The parts of `env` that are used. */
export interface QemuEnv {
  readonly host: Pick<HostAccess, 'workplace'>;
  readonly timer: Pick<Env['timer'], 'sleep' | 'after'>;
}

/** What a run of QEMU needs. */
export interface QemuRunParts {
  readonly env: QemuEnv;
  /** The path of the granted program. */
  readonly program: string;
  readonly setup: QemuSetup;
  /** What the machine starts with. */
  readonly files: ReadonlyMap<QemuFile, Uint8Array>;
  /** The disks by the names of their exports. */
  readonly devices: ReadonlyMap<string, NbdDevice>;
}

/** Who is told of what happens. */
export interface QemuRunEvents {
  readonly event: (event: QmpEvent) => void;
  /** The guest has written to its serial line. No more comes before this settles. */
  readonly serial: (bytes: Uint8Array) => void | Promise<void>;
  /** QEMU has ended, and nobody has told it to: why. */
  readonly ended: (reason: string) => void;
}

/** QEMU cannot be started, or has ended. */
export class QemuError extends Error {
  override readonly name = 'QemuError';
}

/** A QEMU that runs. */
export class QemuRun {
  readonly control: QmpClient;
  readonly version: string;
  readonly workplace: HostWorkplace;
  /** Those of the shared folders, in their order. */
  readonly ports: readonly HostConnection[];
  readonly #env: QemuEnv;
  readonly #program: HostProcess;
  readonly #disks: DiskServer;
  readonly #serial: HostConnection | undefined;
  #closed: Promise<void> | undefined;

  /** Starts QEMU. Rejects with `QemuError`, or with `HostError` if the program cannot be run. */
  static async start(parts: QemuRunParts, events: QemuRunEvents): Promise<QemuRun> {
    const workplace = await parts.env.host.workplace(parts.program);
    try {
      return await QemuRun.#startIn(workplace, parts, events);
    } catch (error) {
      await workplace.close();
      throw error;
    }
  }

  static async #startIn(
    workplace: HostWorkplace,
    { env, program, setup, files, devices }: QemuRunParts,
    events: QemuRunEvents,
  ): Promise<QemuRun> {
    for (const [name, bytes] of files) await writeFile(workplace, name, bytes);
    const control = await workplace.listen(QEMU_SOCKETS.control);
    const serial = setup.hasSerial ? await workplace.listen(QEMU_SOCKETS.serial) : undefined;
    let fault: string | undefined;
    const disks = new DiskServer(
      await workplace.listen(QEMU_SOCKETS.disks),
      devices,
      (text) => (fault ??= text),
    );
    const listeners: HostListener[] = [];
    for (const index of setup.shares.keys()) listeners.push(await workplace.listen(sharePort(index)));
    const running = await workplace.run(qemuArguments(setup));
    const lastWords = wordsOf(running);
    const reason = async (): Promise<string> =>
      fault ?? describeEnd(program, await running.ended, await lastWords);
    // A QEMU that cannot start says why, and ends.
    const early = reason().then((text): never => {
      throw new QemuError(text);
    });
    let inTimeAtAll = (): void => {};
    const late = new Promise<never>((_, reject) => {
      const text = `"${program}" has not come up within ${START_MS / 1000} s`;
      inTimeAtAll = env.timer.after(START_MS, () => reject(new QemuError(text)));
    });
    const inTime = <Value>(value: Promise<Value>): Promise<Value> => Promise.race([value, early, late]);
    early.catch(() => {});
    late.catch(() => {});
    const line = serial && (await inTime(serial.accept()));
    const ports: HostConnection[] = [];
    for (const listener of listeners) ports.push(await inTime(listener.accept()));
    const client = await inTime(QmpClient.open(await inTime(control.accept()), events.event)).catch(
      (error: unknown) => {
        // A QEMU that ends says why elsewhere.
        if (error instanceof QmpError && error.code === 'Ended') return Promise.race([early, late]);
        throw error instanceof QmpError ? new QemuError(error.message) : error;
      },
    );
    inTimeAtAll();
    for (const listener of [control, serial, ...listeners]) await listener?.close();
    const run = new QemuRun({
      env,
      control: client,
      version: await client.version,
      workplace,
      running,
      disks,
      serial: line,
      ports,
    });
    void reason().then((text) => {
      if (!run.#closed) events.ended(text);
    });
    if (line) void readSerial(line, events.serial);
    return run;
  }

  private constructor(parts: {
    readonly env: QemuEnv;
    readonly control: QmpClient;
    readonly version: string;
    readonly workplace: HostWorkplace;
    readonly running: HostProcess;
    readonly disks: DiskServer;
    readonly serial: HostConnection | undefined;
    readonly ports: readonly HostConnection[];
  }) {
    this.#env = parts.env;
    this.control = parts.control;
    this.version = parts.version;
    this.workplace = parts.workplace;
    this.#program = parts.running;
    this.#disks = parts.disks;
    this.#serial = parts.serial;
    this.ports = parts.ports;
  }

  /** Gives bytes to the serial line; settles when QEMU has room for more. */
  async serialInput(bytes: Uint8Array): Promise<void> {
    await this.#serial?.write(bytes);
  }

  /** The time of the CPUs that QEMU has used. */
  cpuUs(): Promise<number | undefined> {
    return this.#program.cpuUs();
  }

  /** Ends QEMU. Settles when it is gone, and none of its requests is under way. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.control.execute('quit').catch(() => {});
    await Promise.race([this.#program.ended, this.#env.timer.sleep(QUIT_MS).catch(() => {})]);
    await this.workplace.close();
    await this.control.close();
    for (const connection of [this.#serial, ...this.ports]) await connection?.close();
    await this.#disks.close();
  }
}

async function readSerial(line: HostConnection, take: QemuRunEvents['serial']): Promise<void> {
  try {
    for (let bytes = await line.read(); bytes; bytes = await line.read()) await take(bytes);
  } catch (error) {
    // When QEMU ends, the connection breaks.
    if (!(error instanceof RpcError)) throw error;
  }
}

async function writeFile({ directory }: HostWorkplace, name: string, bytes: Uint8Array): Promise<void> {
  const file = await directory.openFile(name, 'rw', { create: true });
  try {
    await file.write(bytes, 0);
  } finally {
    await file.close();
  }
}

/** The last line that a program writes to its standard error; settles when it writes no more. */
async function wordsOf({ errors, output }: HostProcess): Promise<string> {
  void drain(output, () => {});
  const decoder = new TextDecoder();
  let [last, rest] = ['', ''];
  await drain(errors, (bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = (lines.pop() ?? '').slice(-LAST_WORDS_CHARACTERS);
    last = lines.findLast((line) => line.trim() !== '') ?? last;
  });
  return (rest.trim() === '' ? last : rest).trim().slice(0, LAST_WORDS_CHARACTERS);
}

async function drain(source: HostProcess['errors'], take: (bytes: Uint8Array) => void): Promise<void> {
  try {
    for (let bytes = await source.read(); bytes; bytes = await source.read()) take(bytes);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
  }
}

function describeEnd(program: string, { code, signal }: HostProcessEnd, lastWords: string): string {
  const how = signal === undefined ? `has exited with ${code}` : `was ended by ${signal}`;
  return `"${program}" ${how}${lastWords === '' ? ', and says nothing of it' : `: ${lastWords}`}`;
}
