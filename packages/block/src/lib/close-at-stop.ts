import { type Env, RpcError } from '@ginit/core';

/**
 * Closes a device when its component is stopped. If the last writes do not get through, the log has
 * one line about it.
 */
export async function closeAtStop(env: Pick<Env, 'error'>, close: () => Promise<void>): Promise<void> {
  try {
    await close();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    await env.error(`writes since the last SYNC may be lost: ${error.message}`);
  }
}
