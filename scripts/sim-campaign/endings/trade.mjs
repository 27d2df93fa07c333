/**
 * Clients open sessions, use, upgrade and close them, and try again when their server has crashed.
 */
import { hasCode } from '@ginit/core';

const KIB = 1024;
const PAUSE_MS = 20;

/** One deal; a server that is gone, or is not there yet, is what a client has to live with. */
async function deal(env, service, bytes) {
  let shop;
  try {
    shop = await env.connect(service, { ram: bytes, caps: 2 });
    await shop.buy();
    await env.upgrade(shop, { ram: 8 * KIB, caps: 1 });
    await shop.buy();
    return true;
  } catch (error) {
    if (!hasCode(error, 'PeerGone') && !hasCode(error, 'DENIED') && !hasCode(error, 'Revoked')) throw error;
    await env.timer.sleep(PAUSE_MS);
    return false;
  } finally {
    if (shop) await env.close(shop);
  }
}

/** Makes `deals` deals, two at a time. `afterwards` is called when no session is open. */
export async function trade(env, service, deals, afterwards = async () => {}) {
  for (let done = 0; done < deals; ) {
    const both = await Promise.all([deal(env, service, 16 * KIB), deal(env, service, 48 * KIB)]);
    done += both.filter((dealt) => dealt).length;
    await afterwards();
  }
}
