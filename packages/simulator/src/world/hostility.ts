/**
 * A component that breaks the protocol with its parent. At one step (opening, upgrading or closing
 * a session, as its client or as its server; announcing a service; exiting; stopping) it is late,
 * does something wrong, never finishes, or does it twice. Its code knows nothing of this and
 * behaves normally otherwise.
 *
 * Acts belong to a label: a component that is started again goes on with the acts that have found
 * no occasion yet.
 */
import { type Capability, capabilityOf, type Implementation, SessionError } from '@ginit/core';
import type { Dealings } from '@ginit/core/platform';
import { type Parent, type Pd, Root, type SessionRequest, SomeSession } from '@ginit/core/system';
import type { Random } from '../order/random.ts';

/** The side of a step: a client asks, a server is asked. */
export const HOSTILE_ROLES = ['client', 'server'] as const;
export type HostileRole = (typeof HOSTILE_ROLES)[number];
/**
 * The steps. A server has no part in announcing and exiting, and a client none in being stopped.
 */
export const HOSTILE_STEPS = ['open', 'upgrade', 'close', 'announce', 'exit', 'stop'] as const;
export type HostileStep = (typeof HOSTILE_STEPS)[number];
export const HOSTILE_WAYS = ['late', 'wrong', 'never', 'twice'] as const;
export type HostileWay = (typeof HOSTILE_WAYS)[number];

/** Every step, together with a role that takes part in it. */
export const HOSTILE_PLACES: readonly { readonly role: HostileRole; readonly step: HostileStep }[] =
  HOSTILE_ROLES.flatMap((role) =>
    HOSTILE_STEPS.filter((step) => rolesOf(step).includes(role)).map((step) => ({ role, step })),
  );

function rolesOf(step: HostileStep): readonly HostileRole[] {
  switch (step) {
    case 'open':
    case 'upgrade':
    case 'close':
      return HOSTILE_ROLES;
    case 'announce':
    case 'exit':
      return ['client'];
    case 'stop':
      return ['server'];
  }
}

/** One wrong act, for the next occasion. */
export interface HostileAct {
  readonly role: HostileRole;
  readonly step: HostileStep;
  readonly way: HostileWay;
  /** The time by which the act is late. */
  readonly lateUs: number;
  readonly random: Random;
  /** Called when the act has happened, with a description. */
  readonly done: (what: string) => void;
}

/** The dealings of a component with its parent that it can do wrongly. */
export type HostileDealings = Pick<Dealings, 'parent' | 'root' | 'stop'>;

/** The services of the live component that hostility needs. */
export interface HostileHost {
  readonly delay: (us: number) => Promise<void>;
}

/** An amount that is twice as much as anybody has. */
const TOO_MUCH = 2 ** 51;
/** A number that no session has. */
const NOBODYS_ID = 4_000_000_000;
const OPERATION_OF: Readonly<Partial<Record<HostileStep, string>>> = {
  open: 'session',
  upgrade: 'upgrade',
  close: 'close',
};

/** The right way of doing something, and the wrong ways. */
interface Deed<T> {
  readonly right: () => Promise<T>;
  /** The wrong ways, at least one; the seed picks one. */
  readonly wrong: Readonly<Record<string, () => Promise<T>>>;
}

/** The hostile acts of all components with one label. */
export class Hostility {
  readonly #acts: HostileAct[] = [];
  /** Names of operations whose next answer goes out twice. */
  readonly #doubled = new Set<string>();
  #acted = false;

  /** Adds a wrong act for the next occasion. */
  befall(act: HostileAct): void {
    this.#acts.push(act);
  }

  /** Whether any of the acts has happened. */
  get acted(): boolean {
    return this.#acted;
  }

  /**
   * Whether the answer to an operation is to go out twice. It is called when the answer goes out.
   */
  takeDoubled(operation: string): boolean {
    return this.#doubled.delete(operation);
  }

  /** The dealings of a component that is started, with its hostile acts built in. */
  dealingsOf(host: HostileHost): HostileDealings {
    const account: { pd: Capability<typeof Pd> | undefined } = { pd: undefined };
    return {
      parent: (parent, pd) => {
        account.pd = pd;
        return this.#parent(parent, pd, host);
      },
      root: (root) => this.#root(root, () => account.pd, host),
      stop: (stop) => this.#does('server', 'stop', host, { right: stop, wrong: { fails: failing } }),
    };
  }

  /** The acts of the component as a client of its parent. */
  #parent(
    parent: Capability<typeof Parent>,
    pd: Capability<typeof Pd>,
    host: HostileHost,
  ): Capability<typeof Parent> {
    return {
      session: (request) =>
        this.#does('client', 'open', host, {
          right: () => parent.session(request),
          wrong: wrongRequests(parent, request),
        }),
      upgrade: (id, ram, caps) =>
        this.#does('client', 'upgrade', host, {
          right: () => parent.upgrade(id, ram, caps),
          wrong: {
            "of nobody's session": () => parent.upgrade(NOBODYS_ID, ram, caps),
            'of too much': () => parent.upgrade(id, TOO_MUCH, caps),
            'that closes at once': async () => {
              void parent.close(id).catch(() => {});
              return parent.upgrade(id, ram, caps);
            },
          },
        }),
      close: (id) =>
        this.#does('client', 'close', host, {
          right: () => parent.close(id),
          wrong: {
            "of nobody's session": () => parent.close(NOBODYS_ID),
            'with an upgrade after it': async () => {
              const closed = parent.close(id);
              closed.catch(() => {});
              await parent.upgrade(id, 1, 0);
              return closed;
            },
          },
        }),
      announce: (service, root) =>
        this.#does('client', 'announce', host, {
          right: () => parent.announce(service, root),
          wrong: {
            'of a service that it does not provide': () => parent.announce(`${service}s`, root),
            'of what is no root': () => parent.announce(service, capabilityOf(Root, pd)),
          },
        }),
      exit: (code) =>
        this.#does('client', 'exit', host, {
          right: () => parent.exit(code),
          wrong: { 'with another code': () => parent.exit(255 - code) },
        }),
      sessionHandler: (handler) => parent.sessionHandler(handler),
      sessionNotices: () => parent.sessionNotices(),
      requestResources: (amount) => parent.requestResources(amount),
      yieldHandler: (handler) => parent.yieldHandler(handler),
      yieldRequest: () => parent.yieldRequest(),
      yieldResponse: () => parent.yieldResponse(),
      [Symbol.dispose]: () => parent[Symbol.dispose](),
    };
  }

  /** The acts of the component as a server. */
  #root(
    root: Implementation<typeof Root>,
    account: () => Capability<typeof Pd> | undefined,
    host: HostileHost,
  ): Implementation<typeof Root> {
    const taking = async (): Promise<void> => takeAll(account());
    const denying = async (): Promise<never> => {
      await taking();
      throw new SessionError('DENIED', 'on purpose');
    };
    return {
      session: (request) =>
        this.#does('server', 'open', host, {
          right: async () => root.session(request),
          wrong: {
            'it takes what there is and denies': denying,
            'it opens and denies': async () => {
              await root.session(request);
              return failing();
            },
            'it gives what is no session': async () => {
              const pd = account();
              return pd ? capabilityOf(SomeSession, pd) : failing();
            },
            'it fails': failing,
          },
        }),
      upgrade: (id, ram, caps) =>
        this.#does('server', 'upgrade', host, {
          right: async () => root.upgrade(id, ram, caps),
          wrong: {
            'it takes what there is and denies': denying,
            'it takes what there is': taking,
            'it fails': failing,
          },
        }),
      close: (id) =>
        this.#does('server', 'close', host, {
          right: async () => root.close(id),
          wrong: {
            'it fails': failing,
            'it takes what there is and fails': denying,
            'it takes what there is': async () => {
              await root.close(id);
              await taking();
            },
            'it takes what there is at the same time': async () => {
              void taking();
              await root.close(id);
            },
            'it has not closed': async () => {},
          },
        }),
    };
  }

  async #does<T>(role: HostileRole, step: HostileStep, host: HostileHost, deed: Deed<T>): Promise<T> {
    const index = this.#acts.findIndex((act) => act.role === role && act.step === step);
    const [act] = index < 0 ? [] : this.#acts.splice(index, 1);
    if (!act) return deed.right();
    this.#acted = true;
    return this.#misdo(act, host, deed);
  }

  async #misdo<T>(act: HostileAct, host: HostileHost, { right, wrong }: Deed<T>): Promise<T> {
    const { role, step, way, random, lateUs, done } = act;
    switch (way) {
      case 'late': {
        done(`${(lateUs / 1000).toFixed(0)} ms late`);
        // A client asks late; a server answers late.
        if (role === 'client') await host.delay(lateUs);
        try {
          return await right();
        } finally {
          if (role === 'server') await host.delay(lateUs);
        }
      }
      case 'wrong': {
        const [name, does] = random.pick(Object.entries(wrong));
        done(`wrong: ${name}`);
        return does();
      }
      case 'never': {
        // In half of the cases the deed is done but never answered; in the other half it is not
        // done at all.
        const silent = random.once(2);
        done(silent ? 'never settled' : 'never done');
        if (silent) void right().catch(() => {});
        return new Promise(() => {});
      }
      case 'twice': {
        done('twice');
        const operation = OPERATION_OF[step];
        if (role === 'server' && operation !== undefined) {
          this.#doubled.add(operation);
          return right();
        }
        void right().catch(() => {});
        return right();
      }
    }
  }
}

function wrongRequests(
  parent: Capability<typeof Parent>,
  request: SessionRequest,
): Deed<Awaited<ReturnType<typeof parent.session>>>['wrong'] {
  return {
    'with the number of another session': () =>
      parent.session({ ...request, id: Math.max(1, request.id - 1) }),
    'with too much': () => parent.session({ ...request, ram: TOO_MUCH }),
    'of a service that nobody has': () => parent.session({ ...request, service: `${request.service}s` }),
    'that closes at once': () => {
      const opening = parent.session(request);
      void parent.close(request.id).catch(() => {});
      return opening;
    },
  };
}

async function failing(): Promise<never> {
  throw new TypeError('on purpose');
}

/** Allocates all that is free in an account. */
async function takeAll(pd: Capability<typeof Pd> | undefined): Promise<void> {
  if (!pd) return;
  const { ramQuota, ramUsed, capQuota, capUsed } = await pd.state();
  await pd
    .allocate({ ram: Math.max(0, ramQuota - ramUsed), caps: Math.max(0, capQuota - capUsed - 1) })
    .catch(() => {});
}
