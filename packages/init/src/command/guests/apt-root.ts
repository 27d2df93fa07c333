/**
 * A private root of apt: its own lists, cache and (empty) list of installed packages, for another
 * architecture. Neither the user's apt nor his dpkg sees anything of it. What his configuration
 * says of proxies and mirrors holds; what it hangs behind an update is left out, because that would
 * work in his own directories.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { RELEASE } from './catalogue.ts';
import { sha256 } from './store.ts';

/** Something that was to be fetched is not to be had. */
export class FetchError extends Error {
  override readonly name = 'FetchError';
}

/** Told how far a step is, from 0 to 100. */
export type Progress = (step: string, percent: number) => void;

/** A package file that was downloaded and checked. */
export interface PackageFile {
  readonly path: string;
  /** Name and version. */
  readonly name: string;
}

/** The user does not want to wait any longer. */
const INTERRUPTED = 'interrupted';
/** The time that a program has to end when it is asked to. */
const END_MS = 2000;
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const COMPLAINT_LINES = 3;
const OUTPUT_CHARACTERS_MAX = 16 * 1024 * 1024;

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a private root is made of. */
export interface AptRootParts {
  /** An empty directory. */
  readonly directory: string;
  readonly architecture: string;
  readonly progress: Progress;
  /** Whatever runs is ended then. */
  readonly interruption: AbortSignal;
}

/** A private root. */
export class AptRoot {
  readonly #directory: string;
  readonly #config: string;
  readonly #progress: Progress;
  readonly #interruption: AbortSignal;

  private constructor({ directory, progress, interruption }: AptRootParts) {
    this.#directory = directory;
    this.#config = join(directory, 'apt.conf');
    this.#progress = progress;
    this.#interruption = interruption;
  }

  /** Makes one in an empty directory, and fetches the lists of packages. Throws `FetchError`. */
  static async make(parts: AptRootParts): Promise<AptRoot> {
    const { directory, architecture } = parts;
    const root = new AptRoot(parts);
    const sources = await root.#sources(architecture);
    for (const part of ['state/lists/partial', 'cache/archives/partial', 'log', 'packages'])
      mkdirSync(join(directory, part), { recursive: true });
    writeFileSync(join(directory, 'state/status'), '');
    writeFileSync(join(directory, 'sources.list'), sources);
    writeFileSync(root.#config, aptConfig(directory, architecture));
    const { stderr } = await root.#run('apt-get', ['update'], { step: 'lists of packages' });
    // Without a network, apt warns and ends well; and a file that has failed need not matter.
    if (!root.#hasLists()) {
      throw new FetchError(
        `the lists of packages could not be reached or are refused: ${complaintOf(stderr)}`,
      );
    }
    return root;
  }

  /** The name of the package that another one, an empty one, depends on. */
  async dependencyOf(name: string, pattern: RegExp): Promise<string> {
    const depends = await this.#field(name, 'Depends');
    const found = pattern.exec(depends)?.[0];
    if (found === undefined) throw new FetchError(`the package "${name}" depends on no kernel`);
    return found;
  }

  /** Downloads packages, and compares each with the hash that the signed list has for it. */
  async download(names: readonly string[]): Promise<PackageFile[]> {
    const directory = join(this.#directory, 'packages');
    const { code, stderr } = await this.#run('apt-get', ['download', ...names], {
      step: 'packages',
      directory,
    });
    if (code !== 0) throw new FetchError(`the packages ${names.join(', ')}: ${complaintOf(stderr)}`);
    const files: PackageFile[] = [];
    for (const name of names) {
      const file = readdirSync(directory).find((one) => one.startsWith(`${name}_`) && one.endsWith('.deb'));
      if (file === undefined) throw new FetchError(`the package "${name}" was not downloaded`);
      const path = join(directory, file);
      if ((await this.#field(name, 'SHA256')) !== sha256(readFileSync(path))) {
        throw new FetchError(`the package "${name}" is not the one that is in the list: its hash is another`);
      }
      files.push({ path, name: `${name} ${await this.#field(name, 'Version')}` });
    }
    return files;
  }

  /** Unpacks a package; nothing of it is installed. */
  async unpack({ path, name }: PackageFile, into: string): Promise<void> {
    const { code, stderr } = await run('dpkg-deb', ['-x', path, into], { interruption: this.#interruption });
    if (code !== 0) throw new FetchError(`${name} cannot be unpacked: ${complaintOf(stderr)}`);
  }

  async #field(name: string, field: string): Promise<string> {
    const { stdout } = await this.#run('apt-cache', ['show', '--no-all-versions', name]);
    const found = new RegExp(`^${field}: (.*)$`, 'm').exec(stdout)?.[1];
    if (found === undefined) throw new FetchError(`Debian's "${RELEASE}" has no package "${name}" here`);
    return found;
  }

  #hasLists(): boolean {
    return readdirSync(join(this.#directory, 'state/lists')).some((file) => file.includes('_Packages'));
  }

  /** The user's own mirror of Debian, as a source for that release. */
  async #sources(architecture: string): Promise<string> {
    const format = '$(REPO_URI)|$(COMPONENT)|$(ORIGIN)|$(RELEASE)';
    const { stdout } = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], {
      interruption: this.#interruption,
    });
    const targets = stdout.split('\n').map((line) => line.split('|'));
    const isMirror = ([, component, origin, release]: string[]): boolean =>
      component === 'main' && (origin === 'Debian' || origin === '$(ORIGIN)') && !release?.includes('-');
    const mirror = targets.find(isMirror)?.[0];
    if (mirror === undefined) {
      throw new FetchError(
        "apt's sources on this machine have no mirror of Debian, from which guests are fetched",
      );
    }
    const signed = existsSync(KEYRING) ? ` signed-by=${KEYRING}` : '';
    return `deb [arch=${architecture}${signed}] ${mirror} ${RELEASE} main\n`;
  }

  async #run(
    program: string,
    args: readonly string[],
    { step, directory }: { readonly step?: string; readonly directory?: string } = {},
  ): Promise<Result> {
    return run(program, ['-c', this.#config, ...args], {
      interruption: this.#interruption,
      directory,
      progress: step === undefined ? undefined : (percent) => this.#progress(step, percent),
    });
  }
}

/**
 * The configuration of a private root. It comes behind the user's own, so all that would lead out
 * of the directory, or let unsigned packages in, is said here, whatever he has said.
 */
export function aptConfig(directory: string, architecture: string): string {
  const user = process.getuid?.() === 0 ? 'APT::Sandbox::User "root";\n' : '';
  return `Dir::State "${directory}/state";
Dir::State::lists "${directory}/state/lists";
Dir::State::extended_states "${directory}/state/extended_states";
Dir::State::status "${directory}/state/status";
Dir::Cache "${directory}/cache";
Dir::Cache::archives "${directory}/cache/archives";
Dir::Cache::pkgcache "${directory}/cache/pkgcache.bin";
Dir::Cache::srcpkgcache "${directory}/cache/srcpkgcache.bin";
Dir::Log "${directory}/log";
Dir::Etc::sourcelist "${directory}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "${architecture}";
#clear APT::Architectures;
APT::Architectures { "${architecture}"; };
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::DEP-11-icons-hidpi;
#clear Acquire::IndexTargets::deb::DEP-11-icons-small;
#clear Acquire::IndexTargets::deb::CNF;
Acquire::Languages "none";
${user}`;
}

interface RunOptions {
  /** The program and all that it has started are ended then. */
  readonly interruption: AbortSignal;
  /** With it, apt tells how far it is. */
  readonly progress?: ((percent: number) => void) | undefined;
  readonly directory?: string | undefined;
}

/** Runs a program to its end. Rejects with `FetchError`. */
async function run(
  program: string,
  args: readonly string[],
  { interruption, progress, directory }: RunOptions,
): Promise<Result> {
  if (interruption.aborted) throw new FetchError(INTERRUPTED);
  const status = progress ? ['-o', 'APT::Status-Fd=3'] : [];
  const child = spawn(program, [...status, ...args], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe', progress ? 'pipe' : 'ignore'],
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
    // A group of its own, so that all of it ends, and only when we say so.
    detached: true,
  });
  const [, out, err, told] = child.stdio;
  let [stdout, stderr] = ['', ''];
  out
    ?.setEncoding('utf8')
    .on('data', (text: string) => (stdout = (stdout + text).slice(-OUTPUT_CHARACTERS_MAX)));
  err
    ?.setEncoding('utf8')
    .on('data', (text: string) => (stderr = (stderr + text).slice(-OUTPUT_CHARACTERS_MAX)));
  if (told && 'read' in told && progress) {
    createInterface({ input: told }).on('line', (line) => {
      const percent = Number(/^dlstatus:[^:]*:([\d.]+):/.exec(line)?.[1] ?? Number.NaN);
      if (!Number.isNaN(percent)) progress(percent);
    });
  }
  let patience: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    killGroup(child.pid, 'SIGTERM');
    patience = setTimeout(() => killGroup(child.pid, 'SIGKILL'), END_MS);
  };
  interruption.addEventListener('abort', interrupt);
  const ended = new Promise<Result>((resolve, reject) => {
    child.on('error', (error) => {
      const missing = 'code' in error && error.code === 'ENOENT';
      const text = missing
        ? `there is no ${program} here: guests are made of Debian's packages`
        : error.message;
      reject(new FetchError(text));
    });
    child.on('close', (code) => {
      if (interruption.aborted) reject(new FetchError(INTERRUPTED));
      else resolve({ code, stdout, stderr });
    });
  });
  try {
    return await ended;
  } finally {
    clearTimeout(patience);
    interruption.removeEventListener('abort', interrupt);
  }
}

function killGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, signal);
  } catch {
    // All of it has ended.
  }
}

/** The lines of a program that say what is wrong. */
function complaintOf(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const errors = lines.filter((line) => line.startsWith('E:'));
  const told = (errors.length > 0 ? errors : lines).slice(0, COMPLAINT_LINES);
  return told.length > 0 ? told.join(' ') : 'no reason was given';
}
