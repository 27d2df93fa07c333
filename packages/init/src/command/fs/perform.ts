/** Does what `ginit fs` is asked for. */
import { setImmediate as turn } from 'node:timers/promises';
import { visibleText } from '@ginit/core/system';
import { check, type CheckReport, mkfs, type MountedFs, repair } from '@ginit/rumpfs';
import { copyAll, sumOf } from './copy.ts';
import { type CopySide, hostSide, imageSide } from './copy-side.ts';
import { below, type ImagePlace, placeInImage } from './fs-place.ts';
import { longLines, type ShownNode, shownNode, statLines } from './listing.ts';
import { imageOptions, Mounts } from './mounts.ts';
import type { FsCommandLine, FsTask } from './options.ts';
import { at, Interrupted, Problem } from './problem.ts';

/** Where results go, and who may stop the work. */
export interface FsWorld {
  /** A line of the results. */
  line(text: string): Promise<void>;
  /** Bytes of a file. */
  bytes(bytes: Uint8Array): Promise<void>;
  /** Something that is worth knowing. */
  say(text: string): void;
  /** Shows how far the work has come, on a terminal. */
  progress(share: number, name: string): void;
  /** Whether anybody sees that. */
  readonly watched: boolean;
  readonly stopped: () => boolean;
}

const DAMAGED_EXIT_CODE = 1;
const FAILED_EXIT_CODE = 1;
const HARMLESS_EXIT_CODE = 3;
/** The longest time in which the command hears of no signal. */
const PACE_MS = 20;
const CAT_BYTES = 256 * 1024;

type TaskOf<Command> = Extract<FsTask, { command: Command }>;

/** Carries out a command line. The result is its exit code. Rejects with a `Problem`. */
export async function performFs(line: FsCommandLine, world: FsWorld): Promise<number> {
  await using mounts = new Mounts(line.open, writtenImages(line.task), (text) => world.say(text));
  return await new Performance(line, world, mounts).run();
}

/** The images that a task changes. */
function writtenImages(task: FsTask): readonly string[] {
  switch (task.command) {
    case 'cp': {
      const to = placeInImage(task.to);
      return to ? [to.image] : [];
    }
    case 'mkdir':
    case 'rm':
      return task.places.map(({ image }) => image);
    default:
      return [];
  }
}

class Performance {
  readonly #line: FsCommandLine;
  readonly #world: FsWorld;
  readonly #mounts: Mounts;
  #pacedMs = 0;

  constructor(line: FsCommandLine, world: FsWorld, mounts: Mounts) {
    this.#line = line;
    this.#world = world;
    this.#mounts = mounts;
  }

  async run(): Promise<number> {
    const { task } = this.#line;
    switch (task.command) {
      case 'ls':
        return this.#each(task, (place, fs) => this.#list(task, place, fs));
      case 'tree':
        return this.#each(task, (place, fs) => this.#tree(place, fs));
      case 'cat':
        return this.#each(task, (place, fs) => this.#cat(place, fs));
      case 'stat':
        return this.#each(task, (place, fs) => this.#stat(place, fs));
      case 'df':
        return this.#each(task, (place, fs) => this.#space(place, fs));
      case 'mkdir':
        return this.#each(
          task,
          async ({ path }, fs) =>
            void (await (task.recursive ? fs.mkdir(path, { recursive: true }) : fs.mkdir(path))),
        );
      case 'rm':
        return this.#remove(task);
      case 'cp':
        return this.#copy(task);
      case 'check':
        return this.#check(task);
      case 'mkfs':
        return this.#make(task);
    }
  }

  async #each(
    { places }: { readonly places: readonly ImagePlace[] },
    work: (place: ImagePlace, fs: MountedFs) => Promise<void>,
  ): Promise<number> {
    for (const place of places) {
      const fs = await this.#mounts.get(place);
      await at(place.text, () => work(place, fs));
      await this.#pace();
    }
    return 0;
  }

  async #list({ long, recursive, places }: TaskOf<'ls'>, place: ImagePlace, fs: MountedFs): Promise<void> {
    const stats = await fs.lstat(place.path);
    if (!stats.isDirectory()) return this.#show([await shown(fs, place.path, place.path)], long);
    if (!this.#line.json && (recursive || places.length > 1)) await this.#text(`${place.text}:`);
    const entries = (await fs.readdir(place.path, { withFileTypes: true })).toSorted((one, other) =>
      compare(one.name, other.name),
    );
    const nodes: (ShownNode & { readonly name: string })[] = [];
    for (const { name } of entries) {
      nodes.push(await shown(fs, below(place.path, name), name));
      await this.#pace();
    }
    await this.#show(nodes, long);
    if (!recursive) return;
    for (const entry of entries.filter((each) => each.isDirectory())) {
      if (!this.#line.json) await this.#text('');
      const inner = { ...place, path: below(place.path, entry.name), text: below(place.text, entry.name) };
      await this.#list({ command: 'ls', long, recursive, places }, inner, fs);
    }
  }

  async #show(nodes: readonly (ShownNode & { readonly name: string })[], long: boolean): Promise<void> {
    if (this.#line.json) {
      for (const { name: _name, ...node } of nodes) await this.#json(node);
    } else {
      for (const line of long ? longLines(nodes) : nodes.map(({ name }) => name)) await this.#text(line);
    }
  }

  async #tree(place: ImagePlace, fs: MountedFs): Promise<void> {
    if (this.#line.json) return this.#treeJson(place.path, fs);
    await this.#text(place.text);
    await this.#branches(place.path, fs, '');
  }

  async #branches(path: string, fs: MountedFs, indent: string): Promise<void> {
    const entries = (await fs.readdir(path, { withFileTypes: true })).toSorted((one, other) =>
      compare(one.name, other.name),
    );
    for (const [index, entry] of entries.entries()) {
      await this.#pace();
      const last = index === entries.length - 1;
      const inner = below(path, entry.name);
      const target = entry.isSymbolicLink() ? ` -> ${await fs.readlink(inner)}` : '';
      await this.#text(
        `${indent}${last ? '└── ' : '├── '}${entry.name}${entry.isDirectory() ? '/' : ''}${target}`,
      );
      if (entry.isDirectory()) await this.#branches(inner, fs, `${indent}${last ? '    ' : '│   '}`);
    }
  }

  async #treeJson(path: string, fs: MountedFs): Promise<void> {
    for (const entry of await fs.readdir(path, { withFileTypes: true })) {
      await this.#pace();
      const inner = below(path, entry.name);
      await this.#json(await shown(fs, inner, entry.name));
      if (entry.isDirectory()) await this.#treeJson(inner, fs);
    }
  }

  async #cat({ path }: ImagePlace, fs: MountedFs): Promise<void> {
    await using file = await fs.open(path);
    for (let position = 0; ; ) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(CAT_BYTES), 0, CAT_BYTES, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      await this.#world.bytes(buffer.subarray(0, bytesRead));
      await this.#pace();
    }
  }

  async #stat({ path }: ImagePlace, fs: MountedFs): Promise<void> {
    const node = await shown(fs, path, path);
    const { name: _name, ...plain } = node;
    if (this.#line.json) return this.#json(plain);
    for (const line of statLines(plain)) await this.#text(line);
  }

  async #space({ image }: ImagePlace, fs: MountedFs): Promise<void> {
    const { type, label, blockSizeBytes, blocks, blocksFree, nodes, nodesFree } = await fs.volume();
    const total = blocks * blockSizeBytes;
    const free = blocksFree * blockSizeBytes;
    const result = {
      image,
      type,
      label,
      block_bytes: blockSizeBytes,
      total,
      free,
      used: total - free,
      nodes,
      nodes_free: nodesFree,
    };
    if (this.#line.json) return this.#json(result);
    const share = total === 0 ? 0 : Math.round(((total - free) / total) * 100);
    const named = label === '' ? '' : ` "${label}"`;
    const files = nodes === 0 ? '' : `; ${nodes - nodesFree} of ${nodes} inodes used`;
    const space = `${total - free} of ${total} bytes used (${share} %), ${free} free`;
    await this.#text(`${image}: ${type}${named}: ${space}; blocks of ${blockSizeBytes}${files}`);
  }

  async #remove(task: TaskOf<'mkdir' | 'rm'>): Promise<number> {
    // Before anything is removed: the root itself stays, and all in it would be lost by mistake.
    for (const { path, text } of task.places) {
      if (/^(?:\/+\.{0,2})+$/.test(path)) throw new Problem(`${text}: is the root, which is not removed`);
    }
    return this.#each(task, async ({ path, text }, fs) => {
      if (!task.recursive && (await fs.lstat(path)).isDirectory())
        throw new Problem(`${text}: is a directory (-r removes it)`);
      await fs.rm(path, { recursive: task.recursive });
    });
  }

  async #copy({ sources, to, recursive, owner }: TaskOf<'cp'>): Promise<number> {
    const from: CopySide[] = [];
    for (const source of sources) from.push(await this.#side(source));
    const into = await this.#side(to);
    let total = 0;
    // Only a bar needs to know how much there is.
    if (this.#world.watched) for (const side of from) total += await sumOf(side, () => this.#pace());
    let skipped = 0;
    const done = await copyAll(from, into, {
      recursive,
      owner,
      pace: async (bytes, name) => {
        this.#world.progress(total === 0 ? 0 : bytes / total, name);
        await this.#pace();
      },
      skipped: (text) => {
        skipped += 1;
        this.#world.say(text);
      },
    });
    if (this.#line.json) await this.#json({ ...done, skipped });
    return skipped === 0 ? 0 : FAILED_EXIT_CODE;
  }

  async #side(text: string): Promise<CopySide> {
    const place = placeInImage(text);
    if (place === undefined) return hostSide(text);
    return imageSide(await this.#mounts.get(place), place.image, place.path, text);
  }

  async #check({ places, mends }: TaskOf<'check'>): Promise<number> {
    let code = 0;
    for (const { image, path, text } of places) {
      if (path !== '/') throw new Problem(`${text}: a file system is checked as a whole`);
      const { type } = this.#line.open;
      const options = { ...imageOptions(this.#line.open), type };
      const report = await at(image, async () => {
        if (!mends) return check(image, options);
        const { before, after } = await repair(image, options);
        const mended = before.findings.length + before.leftOut - after.findings.length - after.leftOut;
        if (mended > 0) this.#world.say(`${image}: ${mended} mistakes were mended`);
        return after;
      });
      if (this.#line.json) await this.#json({ image, ...report });
      else for (const line of reportLines(image, report)) await this.#text(line);
      const found = exitCodeOf(report);
      code = code === 0 || found === DAMAGED_EXIT_CODE ? found : code;
      await this.#pace();
    }
    return code;
  }

  async #make({ place, made, force, command: _command, ...wishes }: TaskOf<'mkfs'>): Promise<number> {
    const { image } = place;
    await at(image, () =>
      mkfs(image, made, {
        ...imageOptions(this.#line.open),
        ...wishes,
        force,
        progress: (share) => {
          if (this.#world.stopped()) throw new Interrupted();
          this.#world.progress(share, image);
        },
      }).catch((error: unknown) => {
        const code: unknown = Reflect.get(Object(error), 'code');
        if (code === 'Exists' && error instanceof Error)
          throw new Problem(`${error.message}: --force makes a new one`);
        throw error;
      }),
    );
    const fs = await this.#mounts.get(place);
    await this.#space(place, fs);
    return 0;
  }

  async #pace(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#pacedMs > PACE_MS) {
      await turn();
      this.#pacedMs = performance.now();
    }
    if (this.#world.stopped()) throw new Interrupted();
  }

  #text(text: string): Promise<void> {
    return this.#world.line(visibleText(text));
  }

  #json(value: object): Promise<void> {
    return this.#world.line(JSON.stringify(value));
  }
}

async function shown(
  fs: MountedFs,
  path: string,
  name: string,
): Promise<ShownNode & { readonly name: string }> {
  const stats = await fs.lstat(path);
  const target = stats.isSymbolicLink() ? await fs.readlink(path) : undefined;
  return { ...shownNode(path, stats, target), name };
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function reportLines(
  image: string,
  { type, findings, leftOut, files, directories }: CheckReport,
): readonly string[] {
  const damage = findings.filter(({ kind }) => kind === 'damage').length;
  const harmless = findings.length - damage;
  const sums = [
    ...(damage === 0 ? [] : [`${damage} ${damage === 1 ? 'error' : 'errors'}`]),
    ...(harmless === 0 ? [] : [`${harmless} harmless`]),
    ...(leftOut === 0 ? [] : [`${leftOut} more`]),
  ];
  const result = sums.length === 0 ? 'sound' : sums.join(', ');
  return [
    ...findings.map(({ kind, text }) => `${image}: ${kind === 'harmless' ? 'harmless: ' : ''}${text}`),
    `${image}: ${type}: ${result}; ${files} files, ${directories} directories`,
  ];
}

function exitCodeOf({ findings, leftOut }: CheckReport): number {
  if (findings.some(({ kind }) => kind === 'damage') || leftOut > 0) return DAMAGED_EXIT_CODE;
  return findings.length > 0 ? HARMLESS_EXIT_CODE : 0;
}
