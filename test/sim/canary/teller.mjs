/** A server that tells each client by which label it knows it. */
import { component, rpc, session, text } from '@ginit/core';

export const Teller = session('Teller', { label: rpc({ args: [], result: text(64) }) });

export default component({ provides: [Teller] }, (env) => {
  env.provide(Teller, ({ label }) => ({ label: () => label.text }));
});
