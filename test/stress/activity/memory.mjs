/** Dataspaces: allocated, filled, shared with a peer, and freed. */

export async function memory(actor, { peer, bytes, sealed, seed }) {
  const { env, tally } = actor;
  const sizeBytes = bytes + 1;
  const { ok, value: dataspace } = await tally.attempt('allocate', 'core', () => env.ram.allocate(sizeBytes));
  if (!ok) return;
  tally.count('dataspaces');
  dataspace.attach().fill(seed);
  if (sealed) dataspace.seal();
  // Memory that may still be written reaches only peers that share memory with us.
  const { ok: answered, value: sum } = await actor.call(
    peer,
    'sum',
    (session) => session.sum(dataspace),
    sealed ? [] : ['NotShareable'],
  );
  const expected = sizeBytes * (seed & 0xff);
  if (answered && sum !== expected) tally.fail('sum', peer, `is ${sum}, not ${expected}`);
  await tally.attempt('free', 'core', () => env.ram.free(dataspace));
}
