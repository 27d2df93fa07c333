/**
 * What a component and its parent ask of each other, for a platform that wants to stand between them. Only the simulator does:
 * it lets components be late, wrong or silent there.
 */
import type { Capability, Implementation } from '../interface/interface.ts';
import type { Parent, Root } from '../session/parent.ts';
import type { Pd } from '../session/pd.ts';

/** Stands between one component and its parent. */
export interface Dealings {
  /** What the component asks of its parent; `pd` is its account. */
  parent(parent: Capability<typeof Parent>, pd: Capability<typeof Pd>): Capability<typeof Parent>;
  /** What is asked of one of its services. */
  root(root: Implementation<typeof Root>): Implementation<typeof Root>;
  /** That it is to put its things in order. */
  stop(stop: () => Promise<void>): Promise<void>;
}
