/** Watching: whoever watches hears of the changes that go through the same mount. */

/** A change, as `fs.promises.watch` tells it. */
export interface FileChange {
  /** `rename`: a name has come or gone; `change`: what a name leads to has changed. */
  readonly eventType: 'rename' | 'change';
  /** The name in the watched directory, or the name of the watched file. */
  readonly filename: string;
}

/** What a watcher hears of a change at a path; undefined: nothing. */
type Hears = (path: string) => string | undefined;

const QUEUE_MAX = 2048;

/** Everybody who watches. */
export class ChangeWatch {
  readonly #watchers = new Set<Watcher>();

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** Tells of a change at a path from the root, without links in it. */
  tell(eventType: FileChange['eventType'], path: string): void {
    for (const watcher of this.#watchers) watcher.tell(eventType, path);
  }

  /**
   * Changes of a file, of a directory's entries, or with `recursive` of all below it. Of more than
   * 2048 that nobody has taken the last ones are left out. Ends when `signal` says so.
   */
  async *watch(
    hears: Hears,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<FileChange, undefined, undefined> {
    signal?.throwIfAborted();
    const watcher = new Watcher(hears);
    this.#watchers.add(watcher);
    const abort = (): void => watcher.wake();
    signal?.addEventListener('abort', abort);
    try {
      for (;;) {
        for (let change = watcher.take(); change; change = watcher.take()) yield change;
        signal?.throwIfAborted();
        if (this.#ended) return undefined;
        await watcher.untilWoken();
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#watchers.delete(watcher);
    }
  }

  #ended = false;

  /** Ends what everybody watches. */
  end(): void {
    this.#ended = true;
    for (const watcher of this.#watchers) watcher.wake();
  }
}

class Watcher {
  readonly #hears: Hears;
  readonly #queue: FileChange[] = [];
  #wake: (() => void) | undefined;

  constructor(hears: Hears) {
    this.#hears = hears;
  }

  tell(eventType: FileChange['eventType'], path: string): void {
    const filename = this.#hears(path);
    if (filename === undefined || this.#queue.length >= QUEUE_MAX) return;
    this.#queue.push({ eventType, filename });
    this.wake();
  }

  take(): FileChange | undefined {
    return this.#queue.shift();
  }

  wake(): void {
    this.#wake?.();
  }

  async untilWoken(): Promise<void> {
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
  }
}

/** What a watcher of a path hears. */
export function hearing(watched: string, recursive: boolean): Hears {
  const below = watched === '/' ? '/' : `${watched}/`;
  const ownName = watched.slice(watched.lastIndexOf('/') + 1);
  return (path) => {
    if (path === watched) return ownName;
    if (!path.startsWith(below)) return undefined;
    const rest = path.slice(below.length);
    return recursive || !rest.includes('/') ? rest : undefined;
  };
}
