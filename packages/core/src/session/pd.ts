/**
 * PD: a protection domain's account of RAM and capabilities (reference: Genode's PD session, the parts about
 * quota). Quota moves only between an account and its reference account, which is its creator's.
 */
import { capability } from '../capability/capability.ts';
import { COSTS } from '../costs.ts';
import { type Capability, rpc, rpcInterface, session } from '../interface/interface.ts';
import { nothing, record, type ShapeType, u32, u53 } from '../interface/shapes.ts';

/** An amount of both resources: bytes of RAM, and capabilities. */
export const resources = record({ ram: u53, caps: u53 });
export type Resources = ShapeType<typeof resources>;

/** What an account holds: its quota, and how much of it is used. */
export const accountState = record({ ramQuota: u53, ramUsed: u53, capQuota: u53, capUsed: u53 });
export type AccountState = ShapeType<typeof accountState>;

/** Codes of the operations that move or use quota. */
export const PD_ERRORS = ['OUT_OF_RAM', 'OUT_OF_CAPS', 'DENIED'] as const;

/** Names a PD in an argument, without the right to do anything with it. */
const PdName = rpcInterface('PD name', {});

/** The PD session. */
export const Pd = session(
  'PD',
  {
    /** Takes resources out of what is free, at least one capability; the number names them in `free`. */
    allocate: rpc<(amount: Resources) => number>({ args: [resources], result: u32 }),
    free: rpc<(allocation: number) => void>({ args: [u32], result: nothing }),
    /** Says how many objects of the component others hold; the result is how many the account can pay for in all. */
    objects: rpc<(held: number) => number>({ args: [u32], result: u32 }),
    state: rpc<() => AccountState>({ args: [], result: accountState }),
    /** Gives what is free in this account to another one: its reference account, or one it is the reference of. */
    transfer: rpc<(to: Capability<typeof PdName>, amount: Resources) => void>({
      args: [capability(PdName), resources],
      result: nothing,
    }),
    /** As `transfer`, but moves only what is free of the amount, in one step; the result is how much that was. */
    transferUpTo: rpc<(to: Capability<typeof PdName>, amount: Resources) => Resources>({
      args: [capability(PdName), resources],
      result: resources,
    }),
    /**
     * Ends the account, used or not: the result is what its reference account has got of it. Once it has ended, the same
     * answer again. Accounts that had this one as their reference have its reference as theirs from then on.
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
