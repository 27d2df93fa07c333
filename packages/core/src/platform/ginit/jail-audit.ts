/**
 * An audit: components that would be jailed run without a jail, and everything that they use of the
 * host is listed. At the end that gives the smallest grants that would do.
 */
import { LIMITS } from '../../limits.ts';
import { grantLine, type HostUse } from '../wire/host-use.ts';

/** The uses that one component has made of the host. */
export class JailAudit {
  readonly #label: string;
  /** Files of its code, which it may read without a grant. */
  readonly #code: ReadonlySet<string>;
  readonly #uses = new Map<string, HostUse>();
  #dropped = 0;

  constructor(label: string, code: readonly string[]) {
    this.#label = label;
    this.#code = new Set(code);
  }

  /** Adds a use. A use for writing allows reading as well. */
  add(use: HostUse): void {
    if (use.kind === 'file' && use.access === 'ro' && this.#code.has(use.target)) return;
    const key = `${use.kind} ${use.target}`;
    const known = this.#uses.get(key);
    if (known && (known.access === 'rw' || use.access === 'ro')) return;
    if (!known && this.#uses.size >= LIMITS.auditUses) this.#dropped++;
    else this.#uses.set(key, use);
  }

  /** Whether another use, of this place or a directory above it, allows this one as well. */
  #isCovered(use: HostUse): boolean {
    if (use.kind !== 'file' && use.kind !== 'directory') return false;
    return [...this.#uses.values()].some(
      ({ kind, access, target }) =>
        kind === 'directory' &&
        use.target.startsWith(`${target}/`) &&
        (access === 'rw' || use.access === 'ro'),
    );
  }

  /** The list of uses, as lines for people. */
  lines(): string[] {
    const needed = [...this.#uses.values()].filter((use) => !this.#isCovered(use));
    const grants = needed.map((use) => `    ${grantLine(use)}  (used by ${use.module})`);
    const [title, end] = [
      `audit: [${this.#label}] ran without a jail; `,
      'native code, datagrams, devices by ioctl',
    ];
    const dropped = this.#dropped > 0 ? [`  and ${this.#dropped} more uses, which are not listed`] : [];
    return [
      title + (grants.length > 0 ? 'these grants would do:' : 'it has used nothing that takes a grant'),
      ...(grants.length > 0 ? ['  <host>', ...grants, '  </host>'] : []),
      ...dropped,
      `  (an audit does not see: ${end}, threads that it starts itself)`,
    ];
  }
}
