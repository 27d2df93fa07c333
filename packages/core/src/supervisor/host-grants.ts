/** Host grants as capabilities: each stands for an entry of the checked root config. */
import { implementationOf } from '../capability/capability.ts';
import { RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import type { Entrypoint } from '../runtime/entrypoint.ts';
import type { ResolvedGrant } from '../runtime/host-access.ts';
import { grantCovers, HostGrant, type HostGrantFact } from '../session/host-grant.ts';

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
  #grants: readonly ResolvedGrant[];
  /**
   * The objects of grants that were asked for, each made once, and separately for reading only.
   */
  readonly #held = new Map<ResolvedGrant, Partial<Record<'ro' | 'rw', HeldGrant>>>();

  constructor(entrypoint: Entrypoint, grants: readonly ResolvedGrant[]) {
    this.#entrypoint = entrypoint;
    this.#grants = grants;
  }

  /** A grant as a capability. It never gives more access than the component has. */
  capability(wanted: HostGrantFact): Capability<typeof HostGrant> {
    const grant = this.#grants.find((held) => grantCovers(held, wanted));
    if (!grant) throw new RpcError('InvalidArgument', 'the component has no such grant');
    const { access } = wanted;
    const known = this.#held.get(grant) ?? {};
    const held = (known[access] ??= new HeldGrant({ ...grant, access }));
    this.#held.set(grant, known);
    return this.#entrypoint.export(HostGrant, held);
  }

  /**
   * Puts others in the place of the grants. Those that are not among them are withdrawn: what the
   * component still holds of them is void. Whoever was started with one keeps it.
   */
  replace(grants: readonly ResolvedGrant[]): void {
    this.#grants = grants.map((grant) => this.#grants.find((old) => sameGrant(old, grant)) ?? grant);
    for (const [grant, held] of this.#held) {
      if (this.#grants.includes(grant)) continue;
      for (const one of Object.values(held)) this.#entrypoint.revoke(one);
      this.#held.delete(grant);
    }
  }
}

function sameGrant(one: ResolvedGrant, other: ResolvedGrant): boolean {
  return (
    one.kind === other.kind &&
    one.path === other.path &&
    one.access === other.access &&
    one.target === other.target
  );
}

/** The grant behind a capability that a component has passed. */
export function grantOf(capability: object): ResolvedGrant {
  const implementation = implementationOf(HostGrant, capability);
  if (implementation instanceof HeldGrant) return implementation.grant;
  throw new RpcError('DENIED', 'not a host grant of this core');
}
