/**
 * Canaries: ways to break the code of components, each as one change to a compiled module. The
 * simulator must find every one; if it does not, it would not find such a real mistake either.
 * `from` occurs once in the module.
 */
export const CANARIES = {
  // A capability that came several times is given back only once.
  'channel-release': {
    module: '/packages/core/dist/channel/channel.js',
    from: 'this.#sender.send(FrameKind.release, reference.index, reference.received);',
    to: 'this.#sender.send(FrameKind.release, reference.index, 1);',
  },
  // Now and then the taking of a signal is not reported, so it is never sent again.
  'channel-signal': {
    module: '/packages/core/dist/channel/channel.js',
    from: 'this.#sender.send(FrameKind.signalTaken, index);',
    to: 'this.signalsTaken = (this.signalsTaken ?? 0) + 1; if (this.signalsTaken % 16 !== 0) this.#sender.send(FrameKind.signalTaken, index);',
  },
  // Of two frames on their way, the second one comes first in half of the cases.
  'channel-order': {
    module: '/packages/simulator/dist/world/simulated-carrier.js',
    from: 'const item = this.#queue.shift();',
    to: 'const item = this.#queue[1]?.frame && this.#world.random.once(2) ? this.#queue.splice(1, 1)[0] : this.#queue.shift();',
  },
  // SYNC does not wait until the dirty chunks are on the device.
  'cache-sync': {
    module: '/packages/blockcache/dist/block-cache.js',
    from: 'await this.#writeBack.flush();',
    to: 'void this.#writeBack.flush().catch(() => {});',
  },
  // Bytes that are written to a chunk while it is on its way to the device never get there.
  'cache-rewrite': {
    module: '/packages/blockcache/dist/write-back.js',
    from: "store.unpin(slot, 'write');",
    to: "store.unpin(slot, 'write'); if (failure === undefined) store.setDirty(slot, 0);",
  },
  // When the device is busy, a chunk that is dirty is removed as if it were clean.
  'cache-eviction': {
    module: '/packages/blockcache/dist/write-back.js',
    from: 'store.onDirtyInTheWay = (slot) => {',
    to: `const take = store.take.bind(store);
      store.take = (chunk, how) => {
        let slot = 0;
        while (slot < store.slotsEnd && (!this.#waits(slot) || store.pinned(slot, 'fetch'))) slot++;
        if (slot < store.slotsEnd && !this.#mayStart(BACKGROUND_CLUSTERS_MAX)) {
          this.unmarkDirty(slot, store.dirty(slot));
          store.discard(slot);
        }
        return take(chunk, how);
      };
      store.onDirtyInTheWay = (slot) => {`,
  },
  // The costs of a session are not given back to its client when the server crashes.
  'init-donation': {
    module: '/packages/init/dist/sandbox/client-sessions.js',
    from: 'session.forgetServer = served.onLeave((ended) => this.#leave(id, session, ended));',
    to: 'session.forgetServer = served.onLeave(() => {});',
  },
  // A new config that only changes the label of a session changes nothing.
  'plan-label': {
    module: '/packages/init/dist/plan/plan.js',
    from: 'server?.kind !== now.kind || server.label !== now.label',
    to: 'server?.kind !== now.kind',
  },
  // The account of a child that has crashed is not closed.
  'init-quota': {
    module: '/packages/init/dist/sandbox/child.js',
    from: 'this.server.leftover.accountEnded(await this.#endAccount());',
    to: "this.server.leftover.accountEnded(how === 'crashed' ? { ram: 0, caps: 0 } : await this.#endAccount());",
  },
  // When an account ends, the accounts below it lose their parent.
  'account-orphans': {
    module: '/packages/core/dist/supervisor/account.js',
    from: 'dependent.#hangOn(reference);',
    to: 'dependent.#reference = undefined;',
  },
  // The part of a donation that comes back is not given to the client.
  'init-refund': {
    module: '/packages/init/dist/sandbox/client-sessions.js',
    from: 'await untilTaken(this.#host.env, () => this.#host.env.pd.transfer(account, back));',
    to: '',
  },
  // Init pays its client the part of a donation that a server has kept.
  'init-pays': {
    module: '/packages/init/dist/sandbox/child-server.js',
    from: 'this.#hasKept(minus(donation, back), what);',
    to: 'this.#hasKept(minus(donation, back), what); return donation;',
  },
  // An upgrade is not remembered, so it does not come back with the rest.
  'init-upgrade': {
    module: '/packages/init/dist/sandbox/child-server.js',
    from: 'donation = plus(donation, more);',
    to: '',
  },
};
