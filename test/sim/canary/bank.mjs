/** A server whose sessions cost much, and that gives the same capability to whoever asks. */
import { capability, component, rpc, rpcInterface, session } from '@ginit/core';

export const Teller = rpcInterface('Teller', { count: rpc({ args: [] }) });
export const Bank = session('Bank', { teller: rpc({ args: [], result: capability(Teller) }) });

export default component({ provides: [Bank] }, (env) => {
  const teller = env.capability(Teller, { count: () => {} });
  env.provide(Bank, () => ({ teller: () => teller }));
});
