/** Parents of components in tests: each of their operations does the same. */
import type { Implementation } from '@ginit/core';
import type { Parent } from '@ginit/core/system';

/** A parent that answers every call as `answer` does: by throwing, or never. */
export function uniformParent(answer: () => Promise<never>): Implementation<typeof Parent> {
  return {
    session: answer,
    upgrade: answer,
    close: answer,
    announce: answer,
    exit: answer,
    sessionHandler: answer,
    sessionNotices: answer,
    requestResources: answer,
    yieldHandler: answer,
    yieldRequest: answer,
    yieldResponse: answer,
  };
}
