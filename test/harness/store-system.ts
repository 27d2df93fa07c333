/**
 * A server of sessions that keep words, and a client of it that has much to donate: for tests that
 * count the quota afterwards.
 */
import { type Env, nothing, rpc, session, text } from '@ginit/core';
import type { Resources } from '@ginit/core/system';

export const MIB = 2 ** 20;

export const Store = session('Store', {
  keep: rpc<(words: string) => void>({ args: [text()], result: nothing }),
});

/** A session that keeps nothing. */
export const KEEP = { keep: () => {} };

/** The quota of a component, without the cost of its first use of the timer. */
export async function quotaOf(env: Env): Promise<Resources> {
  await env.timer.elapsedUs();
  const { ramQuota, capQuota } = await env.quota();
  return { ram: ramQuota, caps: capQuota };
}

/**
 * Settles when the component's quota is as it was before, with the present quota. Gives up after a
 * while.
 */
export async function quotaAgain(env: Env, before: Resources): Promise<Resources> {
  let now = await quotaOf(env);
  for (let looks = 0; looks < 200 && (now.ram !== before.ram || now.caps !== before.caps); looks++) {
    await env.timer.sleep(10);
    now = await quotaOf(env);
  }
  return now;
}

/** The difference in words. */
export const missing = (before: Resources, after: Resources): string =>
  `missing ${before.ram - after.ram} bytes, ${before.caps - after.caps} caps`;

/** The start node of the client, whose exit is that of the system. */
export const CLIENT = `<start name="client" caps="200" ram="100M"> <exit propagate="yes"/> </start>`;

/** The start node of a server. */
export const server = (name: string, more = ''): string =>
  `<start name="${name}" ram="4M" caps="100" ${more}> <provides> <service name="Store"/> </provides> </start>`;

/** The route of a start node whose Store sessions this child serves. */
export const storeAt = (child: string): string =>
  `<route> <service name="Store"> <child name="${child}"/> </service> <any-service> <parent/> </any-service> </route>`;

/** The start node of an init within the system. */
export const nested = (name: string, ram: string, starts: string, more = '', caps = 1000): string =>
  `<start name="${name}" ram="${ram}" caps="${caps}"> <binary name="init"/> ${more} <config>
    <parent-provides>
      <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
    </parent-provides>
    <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
    <default caps="100" ram="4M"/> ${starts} </config> </start>`;
