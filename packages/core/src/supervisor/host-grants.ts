/** Host grants as capabilities: each stands for an entry of the checked root config. */
import { implementationOf } from '../capability/capability.ts';
import { RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import type { Entrypoint } from '../runtime/entrypoint.ts';
import type { ResolvedGrant } from '../runtime/host-access.ts';
import { HostGrant, type HostGrantFact } from '../session/host-grant.ts';

/** The object behind a grant's capability. */
class HeldGrant {
  readonly grant: ResolvedGrant;

  constructor(grant: ResolvedGrant) {
    this.grant = grant;
  }

  fact(): HostGrantFact {
    const { kind, path, access } = this.grant;
    return { kind, path, access };
  }
}

/** The grants of one component, as it may hand them on. */
export class GrantTable {
  readonly #entrypoint: Entrypoint;
  readonly #grants: readonly ResolvedGrant[];
  /**
   * The objects of grants that were asked for, each made once: by number, and separately for
   * reading only.
   */
  readonly #held = new Map<string, HeldGrant>();

  constructor(entrypoint: Entrypoint, grants: readonly ResolvedGrant[]) {
    this.#entrypoint = entrypoint;
    this.#grants = grants;
  }

  /**
   * The grant with this number as a capability. It never gives more access than the component has.
   */
  capability(index: number, access: 'ro' | 'rw'): Capability<typeof HostGrant> {
    const grant = this.#grants[index];
    if (!grant) throw new RpcError('InvalidArgument', `the component has no grant ${index}`);
    if (access === 'rw' && grant.access === 'ro')
      throw new RpcError('InvalidArgument', `grant ${index} is for reading only`);
    const key = `${index} ${access}`;
    const held = this.#held.get(key) ?? new HeldGrant({ ...grant, access });
    this.#held.set(key, held);
    return this.#entrypoint.export(HostGrant, held);
  }
}

/** The grant behind a capability that a component has passed. */
export function grantOf(capability: object): ResolvedGrant {
  const implementation = implementationOf(HostGrant, capability);
  if (implementation instanceof HeldGrant) return implementation.grant;
  throw new RpcError('DENIED', 'not a host grant of this core');
}
