/** Runs a system whose file system is mounted on the host, for tests of what programs see there. */
import { accessSync, constants, mkdirSync, readFileSync } from 'node:fs';
import { type FinishedRun, GinitRun, systemConfig, type Workplace } from './ginit.ts';

/** Why nothing can be mounted here; undefined if it can. */
export function cannotMount(): string | undefined {
  if (process.platform !== 'linux') return 'FUSE is of Linux';
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
  } catch {
    return '/dev/fuse cannot be opened here';
  }
  return process.getuid?.() === 0 ? undefined : 'only root mounts without fusermount3';
}

/** The part of a config that mounts the session which `server` serves. */
export function mountOf(
  options: { readonly name?: string; readonly directory?: string; readonly attributes?: string } = {},
): string {
  const { name = 'mount', directory = 'mnt', attributes = '' } = options;
  return `<start name="${name}" ram="8M"> <binary name="fuse"/>
    <host> <mount path="${directory}"/> </host> <config mount="${directory}" ${attributes}/> </start>`;
}

/** A config that mounts the file system of an image. */
export function imageConfig(options: { readonly image?: string; readonly mount?: string } = {}): string {
  const { image = 'disk.img', mount = mountOf() } = options;
  return systemConfig(`
    <start name="disk" ram="8M"> <binary name="file_block"/>
      <provides> <service name="Block"/> </provides>
      <host> <file path="${image}" access="rw"/> </host>
      <config file="${image}" block_size="512" writeable="yes"/> </start>
    <start name="fs" ram="64M"> <binary name="rumpfs"/>
      <provides> <service name="File_system"/> </provides>
      <config fs="auto"> <policy label_prefix="mount" writeable="yes"/> </config> </start>
    ${mount}`);
}

/** Whether anything is mounted at or below a directory. */
export function isMounted(directory: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4]?.startsWith(directory) === true);
}

/** Waits until nothing is mounted there any more; false if something stays. */
export async function mountGone(directory: string, timeoutMs = 5000): Promise<boolean> {
  for (let waitedMs = 0; isMounted(directory) && waitedMs < timeoutMs; waitedMs += 20)
    await new Promise((resolve) => setTimeout(resolve, 20));
  return !isMounted(directory);
}

/** A system with a mount, which is gone when this is disposed. */
export class FuseMount implements AsyncDisposable {
  readonly run: GinitRun;
  /** The directory where it is mounted. */
  readonly path: string;

  private constructor(run: GinitRun, path: string) {
    this.run = run;
    this.path = path;
  }

  /** Starts the system of `config.xml`, and waits until it is mounted. */
  static async start(place: Workplace, config: string, timeoutMs?: number): Promise<FuseMount> {
    const path = place.path('mnt');
    mkdirSync(path, { recursive: true });
    place.write('config.xml', config);
    const run = new GinitRun(['config.xml'], place.directory, undefined, undefined, timeoutMs);
    const mount = new FuseMount(run, path);
    try {
      // With the end of the line: another mount of this system may be at a longer name.
      await run.until('mounted at mnt\n');
      return mount;
    } catch (error) {
      await mount[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Stops the system in order. */
  stop(): Promise<FinishedRun> {
    this.run.child.kill('SIGINT');
    return this.run.finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.run.killGroup();
    await this.run.finished;
    if (!(await mountGone(this.path))) throw new Error(`${this.path} is still mounted`);
  }
}
