/**
 * For a platform that wants to stand between a component and its parent. Only the simulator does:
 * there it lets components be late, wrong or silent.
 */
import type { Capability, Implementation } from '../interface/interface.ts';
import type { Parent, Root } from '../session/parent.ts';
import type { Pd } from '../session/pd.ts';

/** Stands between one component and its parent. */
export interface Dealings {
  /**
   * Takes the component's capability of its parent, and gives the one that the component uses
   * instead. `pd` is the component's account.
   */
  parent(parent: Capability<typeof Parent>, pd: Capability<typeof Pd>): Capability<typeof Parent>;
  /**
   * Takes the root object of one of the component's services, and gives the one that its parent
   * calls.
   */
  root(root: Implementation<typeof Root>): Implementation<typeof Root>;
  /** Called instead of the component's stop handlers; `stop` runs them. */
  stop(stop: () => Promise<void>): Promise<void>;
  /**
   * Called when the component is asked whether it goes on; `beat` settles between two of its turns.
   */
  heartbeat(beat: () => Promise<void>): Promise<void>;
}
