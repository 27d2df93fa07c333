/** Capabilities: given, passed to third parties, used there, released, revoked; and signals. */

/** Something to hand over: what we hold, or what a peer gives us, or our own. */
async function something(actor, { other, keep }) {
  const held = keep ? actor.takeHeld() : undefined;
  if (held) return held;
  const { value } = await actor.call(other, 'give', (session) => session.give());
  return value ?? actor.own();
}

/** Gets a thing from one peer and hands it to another, who keeps it or gives it back. */
export async function pass(actor, step) {
  const thing = await something(actor, step);
  actor.tally.count('capabilitiesPassed');
  if (step.keep) {
    await actor.call(step.peer, 'take', (session) => session.take(thing));
  } else {
    const { value: back } = await actor.call(step.peer, 'reflect', (session) => session.reflect(thing));
    if (back) {
      await poke(actor, step, back);
      actor.hold(back);
    }
  }
  thing[Symbol.dispose]();
}

/** Lets a peer use a thing of another, and perhaps releases it meanwhile. */
export async function use(actor, step) {
  const thing = await something(actor, step);
  actor.tally.count('capabilitiesPassed');
  const using = actor.call(step.peer, 'use', (session) => session.use(thing, step.count));
  if (step.sealed) thing[Symbol.dispose]();
  const { ok, value } = await using;
  if (ok && value > step.count)
    actor.tally.fail('use', step.peer, `${value} of ${step.count} pokes went well`);
  thing[Symbol.dispose]();
}

async function poke(actor, { other, seed }, thing) {
  const { ok, value } = await actor.tally.attempt('poke', `thing of ${other}`, () => thing.poke(seed));
  if (ok && value !== seed + 1) actor.tally.fail('poke', other, `${seed} came back as ${value}`);
}

export async function revoke(actor) {
  actor.revoke();
}

export async function release(actor, { count }) {
  for (let left = count; left > 0; left--) actor.takeHeld()?.[Symbol.dispose]();
}

/** A peer that has said that it submitted a signal has woken us, or will. */
export async function signal(actor, { peer, count }) {
  let wake;
  const woken = new Promise((resolve) => (wake = resolve));
  const context = actor.env.signal(() => wake());
  const { ok } = await actor.call(peer, 'wake', (session) => session.wake(context, count));
  if (!ok) return;
  actor.tally.count('signals', count);
  await actor.tally.attempt('signal', peer, () => woken);
}
