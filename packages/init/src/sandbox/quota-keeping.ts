/** All that a sandbox does about quota: what there is to give, who gets it, and what is kept. */
import type { Env } from '@ginit/core';
import { ownUse } from '@ginit/core/system';
import type { InitConfig } from '../model/index.ts';
import { minus, plus } from './amounts.ts';
import { Budgets } from './budgets.ts';
import type { Child } from './child.ts';
import { Custody } from './custody.ts';
import { Reserve } from './reserve.ts';
import { ResourceGrants } from './resource-grants.ts';
import { Treasury } from './treasury.ts';

/** The services of the sandbox that this needs. */
export interface QuotaKeepingHost {
  readonly env: Env;
  config(): InitConfig;
  /** The children in the order of the config. */
  children(): Iterable<Child>;
}

/** The quota of one sandbox and its children. */
export class QuotaKeeping {
  readonly custody = new Custody();
  readonly reserve: Reserve;
  readonly treasury: Treasury;
  readonly budgets: Budgets;
  readonly requests: ResourceGrants;

  constructor({ env, config, children }: QuotaKeepingHost) {
    const atFirst = ownUse(env);
    // Each service that is offered to the parent has a root object, which the parent holds.
    const roots = () => ({ ram: 0, caps: config().services.length });
    this.reserve = new Reserve({
      env,
      preserve: () => config().preserve,
      used: () => plus(minus(ownUse(env), atFirst), roots()),
      custody: () => this.custody.amount,
    });
    const spare = () => this.reserve.spare();
    this.treasury = new Treasury({ env, spare });
    this.budgets = new Budgets({ treasury: this.treasury, spare, children });
    this.requests = new ResourceGrants({ env, spare });
  }
}
