/**
 * What init does about children that ask for more quota (reference: Genode's init, which grants
 * nothing by itself: a request is said and reported, and granted by a new config). A start node
 * with `ram_limit` is granted memory from what init has to spare, up to that limit. Capabilities
 * are never granted by init itself.
 */
import type { Env } from '@ginit/core';
import type { Resources } from '@ginit/core/system';
import { Semaphore } from '@ginit/core/async';
import { NOTHING } from './amounts.ts';

/** Lines of the log about the requests of one instance of a child. A child may ask without end. */
const LINES_MAX = 100;

/** A child that asks. */
export interface AskingChild {
  readonly name: string;
  readonly start: { readonly ramLimit: number | undefined };
  /** What it has asked for and not been given. */
  readonly requested: Resources;
  /** The quota of its start node, and what was granted on top. */
  readonly assigned: Resources;
  readonly ended: boolean;
  /** Gives it more out of init's account, and tells it so. */
  give(more: Resources): Promise<void>;
}

/** The services of the sandbox that this needs. */
export interface ResourceGrantsHost {
  readonly env: Pick<Env, 'log' | 'error'>;
  /** The quota that could be given to children at this moment. */
  spare(): Promise<Resources>;
}

/** Decides about the requests of all children, one at a time. */
export class ResourceGrants {
  readonly #host: ResourceGrantsHost;
  readonly #oneAtATime = new Semaphore(1);
  readonly #lines = new WeakMap<AskingChild, number>();

  constructor(host: ResourceGrantsHost) {
    this.#host = host;
  }

  /** The child asks for other amounts than before, perhaps for nothing any more. */
  async asked(child: AskingChild): Promise<void> {
    const { requested, name } = child;
    if (requested.ram === 0 && requested.caps === 0) return;
    this.#say(child, `child "${name}" requests resources: ${requestText(requested)}`);
    const { ramLimit } = child.start;
    if (ramLimit === undefined || requested.ram === 0) return;
    try {
      await this.#oneAtATime.run(() => this.#grant(child, ramLimit));
    } catch (error) {
      // What init has to spare was spent on something else meanwhile, or the child has ended.
      if (!child.ended)
        await this.#host.env.error(`child "${name}" was not granted memory: ${String(error)}`);
    }
  }

  async #grant(child: AskingChild, ramLimit: number): Promise<void> {
    const spare = (await this.#host.spare()).ram;
    const { requested, assigned } = child;
    const ram = Math.min(requested.ram, ramLimit - assigned.ram, spare);
    if (child.ended || ram <= 0) return;
    await child.give({ ...NOTHING, ram });
  }

  #say(child: AskingChild, text: string): void {
    const lines = (this.#lines.get(child) ?? 0) + 1;
    if (lines > LINES_MAX) return;
    this.#lines.set(child, lines);
    const last = lines === LINES_MAX ? ' (further requests of it are not logged)' : '';
    void this.#host.env.log(text + last);
  }
}

/** The amounts as Genode's init logs them. */
function requestText({ ram, caps }: Resources): string {
  const parts = [ram > 0 ? `ram_quota=${ram}` : '', caps > 0 ? `cap_quota=${caps}` : ''];
  return parts.filter((part) => part !== '').join(', ');
}
