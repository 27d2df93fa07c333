/** A ginit for each test of a file, beside other servers, all of which are ended after the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, beforeEach, expect } from 'vitest';
import { type GinitRun, systemConfig, Workplace } from './ginit.ts';
import { PATH } from './programs.ts';

/** The processes of one test. */
export class ProcessesOfTest {
  readonly #servers: ChildProcess[] = [];
  #place: Workplace | undefined;
  #running: GinitRun | undefined;

  get place(): Workplace {
    return (this.#place ??= new Workplace());
  }

  /** What ginit has written. */
  get text(): string {
    return `${this.#running?.stdout}${this.#running?.stderr}`;
  }

  /** Starts ginit with these start nodes, in place of the one before, until it writes `text`. */
  async start(starts: string, text: string): Promise<GinitRun> {
    await this.stop();
    this.place.write('config.xml', systemConfig(starts));
    this.#running = this.place.start('config.xml');
    await this.#running.until(text);
    return this.#running;
  }

  /** Starts ginit until a component crashes, and returns what it has written. */
  async crashOf(starts: string): Promise<string> {
    await this.start(starts, 'crashed');
    return this.text;
  }

  /** Starts another server, in the foreground. */
  serve(program: string, args: readonly string[]): ChildProcess {
    const env = { ...process.env, PATH };
    const child = spawn(program, args, { cwd: this.place.directory, stdio: 'ignore', env });
    this.#servers.push(child);
    return child;
  }

  /** Ends ginit, and returns its processes that are still there. */
  async stop(): Promise<number[]> {
    const running = this.#running;
    if (running === undefined) return [];
    running.child.kill('SIGTERM');
    await running.finished;
    return running.leftOver();
  }

  /** Ends all, removes the files, and only then complains of what ginit has left behind. */
  async end(): Promise<void> {
    const left = await this.stop();
    this.#running?.killGroup();
    await Promise.all(this.#servers.splice(0).map(killed));
    this.#place?.[Symbol.dispose]();
    this.#place = this.#running = undefined;
    expect(left).toEqual([]);
  }
}

/** Kills a process, and waits for its end. */
export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
}

/** The processes of each test of the file, one after the other. */
export function ginitForEach(): ProcessesOfTest {
  const processes = new ProcessesOfTest();
  beforeEach(() => void processes.place);
  afterEach(() => processes.end());
  return processes;
}
