/**
 * Resolves when all have settled, for only then is what they have borrowed free again; rejects with
 * the first failure in their order, if there is one.
 */
export async function settleAll(requests: readonly Promise<unknown>[]): Promise<void> {
  if (requests.length === 1) {
    await requests[0];
    return;
  }
  for (const outcome of await Promise.allSettled(requests)) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
}

/**
 * Runs `lane` so many times side by side, each taking the next piece of common work until there is
 * none. Settles as `settleAll` does.
 */
export function inLanes(count: number, lane: () => Promise<void>): Promise<void> {
  return settleAll(Array.from({ length: count }, lane));
}
