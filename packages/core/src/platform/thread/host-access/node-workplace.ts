/** Private directories in which programs of the host are run, each kept by a warden. */
import { RpcError } from '../../../errors.ts';
import type {
  HostConnection,
  HostDirectory,
  HostErrorCode,
  HostFile,
  HostListener,
  HostPlace,
  HostProcess,
  HostWorkplace,
} from '../../../runtime/host-access.ts';
import type { MemoryPins } from '../memory/memory-pins.ts';
import { openNodeDirectory } from './node-directory.ts';
import { checkArguments, Warden } from './node-program.ts';
import { connectSocket, listenSocket } from './node-sockets.ts';
import type { OpenThings } from './open-things.ts';

/** The name of the directory in errors. */
const NAME = 'workplace';
const SOCKET_NAME = /^\w[\w.-]*$/;

/** The means of a workplace. */
export interface WorkplaceParts {
  readonly things: OpenThings;
  readonly pins: MemoryPins | undefined;
  /** Makes the object that the driver gets from a file that was opened. */
  readonly opened: (file: HostFile) => HostFile;
}

/** Makes one for a granted program. */
export async function makeWorkplace(place: HostPlace, parts: WorkplaceParts): Promise<HostWorkplace> {
  const { things, opened } = parts;
  const warden = new Warden(place.path, [], things);
  try {
    const target = await warden.directory;
    const directory = await openNodeDirectory({ target, path: NAME }, 'rw', { things, opened });
    return new NodeWorkplace(place, target, directory, warden, parts);
  } catch (error) {
    warden.leave();
    throw error;
  }
}

class NodeWorkplace implements HostWorkplace {
  readonly directory: HostDirectory;
  readonly #place: HostPlace;
  readonly #target: string;
  readonly #warden: Warden;
  readonly #parts: WorkplaceParts;
  readonly #listeners: HostListener[] = [];
  #hasRun = false;
  #closed: Promise<void> | undefined;

  constructor(
    place: HostPlace,
    target: string,
    directory: HostDirectory,
    warden: Warden,
    parts: WorkplaceParts,
  ) {
    this.#place = place;
    this.#target = target;
    this.directory = directory;
    this.#warden = warden;
    this.#parts = parts;
  }

  async listen(name: string): Promise<HostListener> {
    const { things, pins } = this.#parts;
    const listener = await listenSocket('unix', this.#within(name), things, pins);
    this.#listeners.push(listener);
    return listener;
  }

  async connect(name: string): Promise<HostConnection> {
    const { things, pins } = this.#parts;
    return connectSocket('unix', this.#within(name), things, pins);
  }

  async run(args: readonly string[] = []): Promise<HostProcess> {
    const { target, path } = this.#place;
    this.#mustBeOpen();
    checkArguments(path, args);
    if (this.#hasRun) {
      throw new RpcError<HostErrorCode>('Unsupported', `program "${path}" was run in its workplace already`);
    }
    this.#hasRun = true;
    this.#warden.say(`run ${JSON.stringify([target, ...args])}`);
    await this.#warden.started;
    return this.#warden.process(this.#parts.pins);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await this.directory.close();
    this.#warden.leave();
    await this.#warden.gone;
  }

  #within(name: string): HostPlace {
    this.#mustBeOpen();
    if (SOCKET_NAME.test(name)) return { target: `${this.#target}/${name}`, path: name };
    const code: HostErrorCode = 'Escapes';
    throw new RpcError(code, `${JSON.stringify(name.slice(0, 200))} is no name of a socket in a workplace`);
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new RpcError<HostErrorCode>('Closed', 'the workplace is closed');
  }
}
