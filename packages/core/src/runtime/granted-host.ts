/** `env.host`: compares every use of the host with the grants, then has the platform do it. */
import { hasCode, RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import {
  grantCovers,
  grantText,
  type HostGrant,
  type HostGrantFact,
  type HostGrantKind,
} from '../session/host-grant.ts';
import {
  checkAccess,
  type HostAccess,
  type HostConnection,
  type HostDevice,
  type HostDirectory,
  type HostErrorCode,
  type HostFile,
  type HostFileOptions,
  type HostListener,
  type HostMount,
  type HostMountOptions,
  type HostPlatform,
  type HostProcess,
  type HostWorkplace,
  type ResolvedGrant,
} from './host-access.ts';

/** The parts that the host access of one component is made of. */
export interface GrantedHostParts {
  readonly grants: readonly ResolvedGrant[];
  /** The kinds of grants that the component's manifest asks for. */
  readonly asked: readonly HostGrantKind[];
  /** The platform's part, loaded when it is first used. */
  readonly platform: () => HostPlatform | Promise<HostPlatform>;
  /**
   * Asks the supervisor, which knows what the component has by now, for a grant as a capability.
   */
  readonly capability: (wanted: HostGrantFact) => Promise<Capability<typeof HostGrant>>;
}

const UNIX = 'unix:';

/** The host as one component may use it. */
export class GrantedHost implements HostAccess {
  readonly grants: readonly HostGrantFact[];
  readonly #parts: GrantedHostParts;

  constructor(parts: GrantedHostParts) {
    this.#parts = parts;
    this.grants = Object.freeze(
      parts.grants.map(({ kind, path, access }) => Object.freeze({ kind, path, access })),
    );
  }

  async grant(wanted: HostGrantFact): Promise<Capability<typeof HostGrant>> {
    checkAccess(wanted.access);
    try {
      return await this.#parts.capability(wanted);
    } catch (error) {
      throw hasCode(error, 'InvalidArgument') ? this.#notGranted(wanted) : error;
    }
  }

  async openFile(path: string, access: 'ro' | 'rw', options?: HostFileOptions): Promise<HostFile> {
    const place = this.#find({ kind: 'file', path, access });
    return (await this.#parts.platform()).openFile(place, access, options);
  }

  async openDirectory(path: string): Promise<HostDirectory> {
    const place = this.#find({ kind: 'directory', path, access: 'ro' });
    return (await this.#parts.platform()).openDirectory(place, place.access);
  }

  async openDevice(path: string, access: 'ro' | 'rw'): Promise<HostDevice> {
    const place = this.#find({ kind: 'device', path, access });
    return (await this.#parts.platform()).openDevice(place, access);
  }

  async listen(address: string): Promise<HostListener> {
    const { kind, place } = this.#findAddress(address, 'listen');
    return (await this.#parts.platform()).listen(kind, place);
  }

  async connect(address: string): Promise<HostConnection> {
    const { kind, place } = this.#findAddress(address, 'connect');
    return (await this.#parts.platform()).connect(kind, place);
  }

  async run(path: string, args: readonly string[] = []): Promise<HostProcess> {
    const place = this.#find({ kind: 'program', path, access: 'rw' });
    return (await this.#parts.platform()).run(place, args);
  }

  async workplace(path: string): Promise<HostWorkplace> {
    const place = this.#find({ kind: 'program', path, access: 'rw' });
    return (await this.#parts.platform()).workplace(place);
  }

  async mount(path: string, options: HostMountOptions): Promise<HostMount> {
    const place = this.#find({ kind: 'mount', path, access: 'rw' });
    return (await this.#parts.platform()).mount(place, options);
  }

  #findAddress(
    address: string,
    direction: 'listen' | 'connect',
  ): { readonly kind: 'tcp' | 'unix'; readonly place: ResolvedGrant } {
    const kind = address.startsWith(UNIX) ? 'unix' : 'tcp';
    const path = kind === 'unix' ? address.slice(UNIX.length) : address;
    return { kind, place: this.#find({ kind: `${kind}-${direction}`, path, access: 'rw' }) };
  }

  #find(wanted: HostGrantFact): ResolvedGrant {
    const { kind } = wanted;
    checkAccess(wanted.access);
    if (!this.#parts.asked.includes(kind)) {
      const code: HostErrorCode = 'NotGranted';
      throw new RpcError(
        code,
        `the component's manifest does not ask for ${grantText(wanted)}: host: ['${kind}']`,
      );
    }
    const found = this.#parts.grants.find((held) => grantCovers(held, wanted));
    if (!found) throw this.#notGranted(wanted);
    return found;
  }

  #notGranted(wanted: HostGrantFact): RpcError {
    const code: HostErrorCode = 'NotGranted';
    const { kind, path } = wanted;
    const what = kind.replace('-', ' ');
    const same = this.grants.filter((held) => held.kind === kind && held.path === path);
    if (same.some((held) => grantCovers(held, wanted)))
      return new RpcError(code, `<host> does not grant the ${what} "${path}" any more`);
    if (same.length > 0)
      return new RpcError(code, `<host> grants the ${what} "${path}" for reading only (access="ro")`);
    return new RpcError(code, `<host> grants no such ${what} (add ${grantText(wanted)})`);
  }
}
