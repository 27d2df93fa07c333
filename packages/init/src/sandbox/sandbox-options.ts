import type { Resources } from '@ginit/core/system';
import type { LocalService } from './local-service.ts';

/** What can be plugged into a sandbox. */
export interface SandboxOptions {
  /** The services to which `<local/>` in routes leads. */
  readonly services?: readonly LocalService[];
  /** Called when a child asks for other amounts of quota than before, and is not given them. */
  readonly requested?: (child: string, amount: Resources) => void;
}
