/**
 * What one File_system session sees: a TRACE session of its own, the subjects that this sees, and
 * the tree of their files. The tree is brought up to date every interval, and keeps the nodes that
 * stay.
 */
import { type Env, RpcError, type Session } from '@ginit/core';
import { LABEL_SEPARATOR, LIMITS } from '@ginit/core/system';
import { Trace, type TraceSubject } from '@ginit/core/trace';
import { type ControlFile, controlFiles, pictureFile, tracedComponent } from './control-files.ts';
import type { TraceFsPolicy } from './schema.ts';
import { TraceDirectory, TraceFile, type TraceNode } from './trace-nodes.ts';
import { type TracedMeans, TracedSubject } from './traced-subject.ts';

/** The parts of `env` that a tree works with. */
export type TraceTreeEnv = Pick<Env, 'ram' | 'capability' | 'revoke' | 'timer' | 'connect' | 'close'>;

/** The subjects of one session as a tree. */
export class TraceTree {
  readonly root = new TraceDirectory(1);
  readonly #env: TraceTreeEnv;
  readonly #policy: TraceFsPolicy;
  readonly #trace: Session<typeof Trace>;
  readonly #report: (error: unknown) => void;
  readonly #shown = new Map<TracedSubject, string>();
  readonly #subjects = new Map<
    number,
    { subject: TracedSubject; directory: TraceDirectory; path: string[] }
  >();
  readonly #means: TracedMeans;
  readonly #stop: () => void;
  /** Is told of nodes whose content is another now. */
  onChange: (node: TraceNode) => void = () => {};
  #lastInode = 1;
  #usedBytes = 0;
  #looking: Promise<void> | undefined;
  #closed = false;

  /** Opens the TRACE session, with the label of the File_system session. */
  static async open(
    env: TraceTreeEnv,
    policy: TraceFsPolicy,
    report: (error: unknown) => void,
  ): Promise<TraceTree> {
    const trace = await env.connect(Trace, { ram: policy.trace_meta_quota });
    const tree = new TraceTree(env, policy, trace, report);
    await tree.look();
    return tree;
  }

  private constructor(
    env: TraceTreeEnv,
    policy: TraceFsPolicy,
    trace: Session<typeof Trace>,
    report: (error: unknown) => void,
  ) {
    this.#env = env;
    this.#policy = policy;
    this.#trace = trace;
    this.#report = report;
    this.#means = {
      home: env,
      trace,
      bufferSize: Math.min(policy.buffer_size, policy.buffer_size_max),
      bufferSizeMax: policy.buffer_size_max,
      reserve: (bytes) => this.#reserve(bytes),
      giveBack: (bytes) => {
        this.#usedBytes -= bytes;
      },
    };
    this.root.children.set('events.json', this.#file(pictureFile(() => this.#all())));
    this.#stop = env.timer.every(policy.interval, () => void this.look().catch(report));
  }

  /** Looks at the subjects, and takes what is in their buffers. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Ends the tracing of all subjects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    await this.#looking?.catch(() => {});
    for (const { subject } of this.#subjects.values()) await subject.close().catch(this.#report);
    await this.#env.close(this.#trace);
  }

  async #look(): Promise<void> {
    const all = await this.#trace.subjects();
    if (this.#closed) return;
    const seen = new Set<number>();
    for (const info of all) {
      const known = this.#subjects.get(info.id);
      if (known) known.subject.info = info;
      else if (this.#subjects.size < this.#policy.subject_limit) this.#add(info);
      seen.add(info.id);
    }
    for (const [id, { subject }] of this.#subjects) {
      subject.drain();
      // The dead that were never traced vanish; others stay until they are cleaned up.
      const gone = !seen.has(id) || (subject.info.state === 'dead' && !subject.wasTraced);
      if (gone && !seen.has(id) && subject.wasTraced && !subject.cleaned) continue;
      if (gone || subject.cleaned) await this.#remove(id);
    }
    this.#tellChanges();
  }

  /** Tells of files that show something else than they did at the last look. */
  #tellChanges(): void {
    let any = false;
    for (const { subject, directory } of this.#subjects.values()) {
      const { kept, enabled, active, problem, bufferSize } = subject;
      const now = [kept.bytes, kept.lost, enabled, active, problem, bufferSize].join(' ');
      if (this.#shown.get(subject) === now) continue;
      this.#shown.set(subject, now);
      any = true;
      for (const file of directory.children.values()) this.#changed(file);
    }
    const picture = this.root.children.get('events.json');
    if (any && picture) this.#changed(picture);
  }

  #changed(node: TraceNode): void {
    if (node.type === 'file') node.refresh();
    this.onChange(node);
  }

  #tellPath(path: readonly string[]): void {
    let directory: TraceNode | undefined = this.root;
    for (const name of path) {
      if (directory?.type !== 'directory') return;
      this.onChange(directory);
      directory = directory.children.get(name);
    }
  }

  #add(info: TraceSubject): void {
    const subject = new TracedSubject(info, this.#means);
    const elements = info.label.split(LABEL_SEPARATOR).map((name) => name.replaceAll('/', '_'));
    const path = elements.slice(0, -1).slice(this.#policy.parent_levels);
    path.push(`${elements.at(-1) ?? ''}.${info.id}`);
    let directory = this.root;
    for (const name of path) directory = this.#directoryIn(directory, name);
    for (const [name, file] of controlFiles(subject)) directory.children.set(name, this.#file(file));
    this.#subjects.set(info.id, { subject, directory, path });
    this.#tellPath(path);
  }

  #directoryIn(parent: TraceDirectory, name: string): TraceDirectory {
    const known = parent.children.get(name);
    if (known?.type === 'directory') return known;
    const made = new TraceDirectory(++this.#lastInode);
    parent.children.set(name, made);
    return made;
  }

  #file(file: ControlFile): TraceFile {
    return new TraceFile(++this.#lastInode, file);
  }

  async #remove(id: number): Promise<void> {
    const entry = this.#subjects.get(id);
    if (!entry) return;
    this.#subjects.delete(id);
    await entry.subject.close().catch(this.#report);
    this.#shown.delete(entry.subject);
    this.#tellPath(entry.path);
    entry.directory.children.clear();
    this.#prune(entry.path);
  }

  /** Removes the directories of a path that have nothing in them any more. */
  #prune(path: readonly string[]): void {
    const chain: [TraceDirectory, string][] = [];
    let directory: TraceNode | undefined = this.root;
    for (const name of path) {
      if (directory?.type !== 'directory') return;
      chain.push([directory, name]);
      directory = directory.children.get(name);
    }
    for (const [parent, name] of chain.toReversed()) {
      const child = parent.children.get(name);
      if (child?.type === 'directory' && child.children.size === 0) parent.children.delete(name);
    }
  }

  #all() {
    return Array.from(this.#subjects.values(), ({ subject }) => {
      subject.drain();
      return tracedComponent(subject);
    });
  }

  #reserve(bytes: number): void {
    if (this.#usedBytes + bytes > this.#policy.trace_quota) {
      throw new RpcError('OUT_OF_RAM', `trace_quota is used up: ${this.#usedBytes} bytes`);
    }
    this.#usedBytes += bytes;
  }
}

/** Bytes of what can be written to one file. */
export const WRITTEN_BYTES_MAX = LIMITS.tracePolicyCharacters;
