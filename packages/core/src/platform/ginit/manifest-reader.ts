/**
 * Reads the manifests of components in a process of their own, because importing a module runs its
 * code. The process is jailed if the host can do that.
 */
import { LIMITS } from '../../limits.ts';
import { jailMeans } from '../jail/lacks.ts';
import type { JailRules } from '../jail/rules.ts';
import { readerFiles } from '../jail/runtime-files.ts';
import { LOAD_TIMEOUT_MS, type ManifestText } from '../wire/manifest-protocol.ts';
import { type ReaderAnswers, ReaderProcess } from './reader-process.ts';

/** A manifest as plain data that nobody has checked yet, or why there is none. */
export type ManifestAnswer = { readonly manifest: unknown } | { readonly problem: string };

/** A module whose manifest is wanted. */
export interface ModuleToRead {
  readonly moduleUrl: string;
  /**
   * Real, absolute paths of all files of the module and of our runtime. The module is read in a
   * jail in which these files are readable and nothing else can be had. `undefined` for a module
   * that is trusted with the host when it is started: that one is read without a jail.
   */
  readonly files: readonly string[] | undefined;
}

/**
 * Reads all manifests in one process, each in a thread of its own; modules that are read without a
 * jail share another process. If a module brings its process down all the same, the modules that
 * have no answer yet are read again, each in a process of its own. So that module fails, and no
 * other.
 */
export class ManifestReader {
  readonly #timeoutMs: number;
  readonly #means = jailMeans();
  #ahead: ReaderProcess | undefined;

  /**
   * Starts a process at once. `count` modules are going to be read; each may take `timeoutMs` to
   * load.
   */
  constructor(count: number, timeoutMs = LOAD_TIMEOUT_MS) {
    this.#timeoutMs = timeoutMs;
    this.#ahead = this.#process(count);
  }

  /** Why nothing is jailed here, in words for people; `undefined` if modules are jailed. */
  get lack(): string | undefined {
    return typeof this.#means === 'string' ? this.#means : undefined;
  }

  /**
   * Reads the manifests of these modules, no module twice, and ends. The answers are by module URL.
   */
  async read(modules: readonly ModuleToRead[]): Promise<Map<string, ManifestAnswer>> {
    const reading = this.#groups(modules).map((some) => this.#readTogether(some));
    this[Symbol.dispose]();
    return new Map((await Promise.all(reading)).flat());
  }

  /** Ends without reading anything. */
  [Symbol.dispose](): void {
    this.#ahead?.end();
    this.#ahead = undefined;
  }

  /**
   * The modules that share a process: those that are read without a jail, and as many of the others
   * as one jail has room for the files of.
   */
  #groups(modules: readonly ModuleToRead[]): ModuleToRead[][] {
    const free: ModuleToRead[] = [];
    const jailed: ModuleToRead[][] = [];
    const ours = typeof this.#means === 'string' ? 0 : readerFiles(this.#means.calls).length;
    let count = Number.POSITIVE_INFINITY;
    for (const module of modules) {
      const size = module.files?.length;
      if (size === undefined || this.lack !== undefined) {
        free.push(module);
        continue;
      }
      if (count + size > LIMITS.jailFiles) {
        jailed.push([]);
        count = ours;
      }
      jailed.at(-1)?.push(module);
      count += size;
    }
    return [...jailed, free].filter((group) => group.length > 0);
  }

  async #readTogether(modules: readonly ModuleToRead[]): Promise<[string, ManifestAnswer][]> {
    const together = await this.#readIn(modules);
    const answers: [string, ManifestAnswer][] = [];
    for (const module of modules) {
      const { moduleUrl } = module;
      const answer = together.get(moduleUrl) ??
        (await this.#readIn([module])).get(moduleUrl) ?? { problem: 'its module ends or stops its process' };
      const isJailed = module.files !== undefined && this.lack === undefined;
      answers.push([moduleUrl, isJailed ? explained(answerOf(answer)) : answerOf(answer)]);
    }
    return answers;
  }

  #readIn(modules: readonly ModuleToRead[]): Promise<ReaderAnswers> {
    const process = this.#ahead ?? this.#process(modules.length);
    this.#ahead = undefined;
    return process.read(
      modules.map(({ moduleUrl }) => moduleUrl),
      this.#rulesFor(modules),
    );
  }

  #rulesFor(modules: readonly ModuleToRead[]): JailRules | undefined {
    if (typeof this.#means === 'string' || modules.some(({ files }) => files === undefined)) return undefined;
    const code = new Set(modules.flatMap(({ files = [] }) => files));
    return { code: [...code, ...readerFiles(this.#means.calls)], grants: [] };
  }

  #process(count: number): ReaderProcess {
    return new ReaderProcess({ count, timeoutMs: this.#timeoutMs, jailable: this.lack === undefined });
  }
}

function answerOf(answer: ManifestText): ManifestAnswer {
  if ('problem' in answer) return answer;
  try {
    return { manifest: JSON.parse(answer.text) };
  } catch {
    return { problem: 'its manifest cannot be read' };
  }
}

/** Adds to the problem of a module that was read in a jail that the jail may be the cause. */
function explained(answer: ManifestAnswer): ManifestAnswer {
  if (!('problem' in answer) || !/\b(?:EACCES|EPERM)\b/.test(answer.problem)) return answer;
  const jail = 'its manifest is read in a jail without grants: what needs the host belongs into its function';
  return { problem: `${answer.problem} (${jail})` };
}
