/**
 * PD: a protection domain's account of RAM and capabilities (reference: Genode's PD session, the
 * parts about quota). Quota moves only between an account and its reference account, which is its
 * creator's.
 */
import { capability } from '../capability/capability.ts';
import { COSTS } from '../costs.ts';
import { type Capability, rpc, rpcInterface, session } from '../interface/interface.ts';
import { nothing, record, type ShapeType, u32, u53 } from '../interface/shapes.ts';

/** An amount of both resources: bytes of RAM, and capabilities. */
export const resources = record({ ram: u53, caps: u53 });
/** An amount of quota: `ram` in bytes, and `caps`. */
export type Resources = ShapeType<typeof resources>;

/** The state of an account: its quota, and how much of it is used. */
export const accountState = record({ ramQuota: u53, ramUsed: u53, capQuota: u53, capUsed: u53 });
/** An account's quota and use: RAM in bytes, and capabilities. */
export type AccountState = ShapeType<typeof accountState>;

/**
 * Error codes of the operations that move or use quota: too little of it is free, or the accounts
 * do not hang on each other (`DENIED`).
 */
export const PD_ERRORS = ['OUT_OF_RAM', 'OUT_OF_CAPS', 'DENIED'] as const;

/** The type of a PD as an argument: it names the account and gives no right to use it. */
const PdName = rpcInterface('PD name', {});

/** The PD session. */
export const Pd = session(
  'PD',
  {
    /**
     * Takes resources into use, at least one capability. The result is a number to give them back
     * by (`free`).
     */
    allocate: rpc<(amount: Resources) => number>({ args: [resources], result: u32 }),
    free: rpc<(allocation: number) => void>({ args: [u32], result: nothing }),
    /**
     * Says how many objects of the component others hold. The result is how many the account can
     * pay for.
     */
    objects: rpc<(held: number) => number>({ args: [u32], result: u32 }),
    state: rpc<() => AccountState>({ args: [], result: accountState }),
    /**
     * Moves free quota to another account: the reference account of this one, or an account whose
     * reference account this one is.
     */
    transfer: rpc<(to: Capability<typeof PdName>, amount: Resources) => void>({
      args: [capability(PdName), resources],
      result: nothing,
    }),
    /**
     * Moves as much of `amount` as is free, in one step. The result is how much that was. Otherwise
     * as `transfer`.
     */
    transferUpTo: rpc<(to: Capability<typeof PdName>, amount: Resources) => Resources>({
      args: [capability(PdName), resources],
      result: resources,
    }),
    /**
     * Ends the account, whether its quota is in use or not. The result is the quota that went to
     * the reference account; a second call gives the same answer. Accounts that had this one as
     * their reference account hang on its reference account from then on.
     */
    end: rpc<() => Resources>({ args: [], result: resources }),
    /** Sets the reference account, once. */
    setReferenceAccount: rpc<(reference: Capability<typeof PdName>) => void>({
      args: [capability(PdName)],
      result: nothing,
    }),
  },
  { errors: PD_ERRORS, cost: COSTS.pd },
);
