/**
 * Opens the image that the config names and those behind it, all of them granted files. A name in
 * an image is a wish of whoever has made it: it leads to a file only if the config grants that
 * file.
 */
import { type Env, RpcError } from '@ginit/core';
import {
  type BackingName,
  type DiskImage,
  formatOfName,
  HostFileDevice,
  ImageError,
  type ImageFormat,
  type ImageSource,
  isImageFormat,
  openChain,
} from '../image/index.ts';
import type { ImageBlockConfig } from './schema.ts';

/** An image that is open, and what it is made of. */
export interface OpenImages {
  readonly image: DiskImage;
  /** The file of the image itself. */
  readonly device: HostFileDevice;
  /** Closes the files. The image comes first. */
  closeFiles(): Promise<void>;
}

type HostEnv = Pick<Env, 'host'>;

/** Opens them. Throws `ConfigError` if that cannot be done. */
export async function openGrantedImages(env: HostEnv, config: ImageBlockConfig): Promise<OpenImages> {
  const files = new GrantedFiles(env, config);
  try {
    const first = await files.first();
    const image = await openChain(first, {
      writeable: config.writeable,
      behind: (backing, of) => files.behind(backing, of),
    });
    return { image, device: first.device, closeFiles: () => files.close() };
  } catch (error) {
    await files.close();
    throw error instanceof RpcError ? config.$node.errorAt(error.message, 'file') : error;
  }
}

class GrantedFiles {
  readonly #env: HostEnv;
  readonly #config: ImageBlockConfig;
  /** The files that are open, by their paths. */
  readonly #open = new Map<string, HostFileDevice>();

  constructor(env: HostEnv, config: ImageBlockConfig) {
    this.#env = env;
    this.#config = config;
  }

  async first(): Promise<ImageSource & { readonly device: HostFileDevice }> {
    const { file, writeable, format = formatOfName(file), $node: node } = this.#config;
    if (format === undefined) {
      throw node.errorAt(`the name of "${file}" says no format, so an attribute "format" must`, 'file');
    }
    return { device: await this.#openFile(file, writeable ? 'rw' : 'ro'), format, name: file };
  }

  /** The file that a name in an image leads to. */
  async behind(backing: BackingName, image: ImageSource): Promise<ImageSource> {
    const told = this.#config.$children.backing.find(({ name }) => name === backing.name);
    const wanted = told?.file ?? beside(image.name, backing.name);
    const granted = this.#env.host.grants.find(
      ({ kind, path }) => kind === 'file' && spelling(path) === spelling(wanted),
    );
    if (!granted) {
      throw new ImageError(
        'Invalid',
        `it needs the image "${backing.name}" behind it, and no <file path="${wanted}"/> is granted`,
      );
    }
    if (this.#open.has(spelling(granted.path))) {
      throw new ImageError('Malformed', `image "${granted.path}" lies behind itself`);
    }
    const format = told?.format ?? backingFormat(backing, wanted);
    return { device: await this.#openFile(granted.path, 'ro'), format, name: granted.path };
  }

  async close(): Promise<void> {
    for (const device of this.#open.values()) await device.close();
  }

  async #openFile(path: string, access: 'ro' | 'rw'): Promise<HostFileDevice> {
    // Tables that are kept in memory are those of a file that stays as it is.
    const steady = access === 'ro';
    const device = new HostFileDevice(await this.#env.host.openFile(path, access, { steady }));
    this.#open.set(spelling(path), device);
    return device;
  }
}

function backingFormat({ name, format }: BackingName, file: string): ImageFormat {
  const found = format ?? formatOfName(file);
  if (found !== undefined && isImageFormat(found)) return found;
  const why = found === undefined ? 'nothing says its format' : `its format is "${found}"`;
  throw new ImageError(
    'Unsupported',
    `the image "${name}" behind it cannot be opened, because ${why}: a <backing name="${name}" format="…"/> can tell`,
  );
}

/** What a name in an image means beside the image. */
function beside(image: string, name: string): string {
  return name.startsWith('/') ? name : spelling(image.slice(0, image.lastIndexOf('/') + 1) + name);
}

/** A path without elements that lead nowhere. */
function spelling(path: string): string {
  const elements: string[] = [];
  for (const element of path.split('/')) {
    if (element === '' || element === '.') continue;
    const last = elements.at(-1);
    if (element === '..' && last !== undefined && last !== '..') elements.pop();
    else if (element !== '..' || !path.startsWith('/')) elements.push(element);
  }
  return (path.startsWith('/') ? '/' : '') + elements.join('/');
}
