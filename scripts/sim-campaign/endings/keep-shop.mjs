/** A server: each session keeps, in a dataspace, what its client has donated beyond its cost. */
export function keepShop(env, service) {
  let sold = 0;
  let sessions = 0;
  env.provide(service, async ({ ram, caps }) => {
    const stock = ram > 0 && caps > 0 ? await env.ram.allocate(ram) : undefined;
    sessions++;
    return {
      buy: () => void sold++,
      [Symbol.asyncDispose]: async () => {
        sessions--;
        if (stock) await env.ram.free(stock);
      },
    };
  });
  return { sessions: () => sessions };
}
