/**
 * A component that another one has started, and ends: what init does for its children, as small as
 * it can be. Sessions that it asks for are requested of its parent's own parent and paid by its
 * account; all it had is back when it has ended.
 */
import { Rom, RomModule, session, SessionError } from '@ginit/core';
import { Cpu, Parent, Pd, prependLabel, refusalOf } from '@ginit/core/system';

const NOTHING = { ram: 0, caps: 0 };

/** Starts a component on an account of its own. */
export class Offspring {
  /** Settles when it has told us that it is done, or crashed. */
  over;
  #env;
  #options;
  #tickets = new Map();
  #configs = new Map();
  #underWay = new Set();
  #module;
  #parent;
  #pd;
  #cpu;
  #rom;
  #thread;
  #tellOver;
  #ended = false;

  /**
   * `options`: name, binary, config (as data), isolation, domain, heap, ram, caps, grants if any.
   */
  constructor(env, options) {
    this.#env = env;
    this.#options = options;
    this.#module = new RomModule(new TextEncoder().encode(JSON.stringify(options.config)));
    this.over = new Promise((resolve) => (this.#tellOver = resolve));
    this.#parent = {
      session: (request) =>
        this.#track(this.#session(request)).then(
          (opened) => ({ session: opened }),
          (error) => ({ refused: refusalOf(error) }),
        ),
      upgrade: (id, ram, caps) =>
        this.#track(this.#upgrade(id, { ram, caps })).then(() => undefined, refusalOf),
      close: (id) => this.#track(this.#close(id)),
      announce: () => {
        throw new SessionError('DENIED', 'nobody would use it');
      },
      exit: () => this.#tellOver('exit'),
    };
  }

  async start() {
    const env = this.#env;
    const { name, binary, isolation, domain, heap, ram, caps, grants = [] } = this.#options;
    this.#pd = await env.connect(Pd, { label: name });
    await this.#pd.setReferenceAccount(env.pd);
    await env.pd.transfer(this.#pd, { ram, caps });
    this.#cpu = await env.connect(Cpu, { label: name });
    this.#rom = await env.connect(Rom, { label: binary });
    const parent = env.capability(Parent, this.#parent);
    this.#thread = await this.#cpu.start({
      pd: this.#pd,
      parent,
      binary: this.#rom,
      isolation,
      domain,
      heap,
      grants,
    });
    await this.#thread.setHandler(env.signal(() => this.#look()));
  }

  /** Ends it, wherever it is; settles when nothing of it is left and its quota is back. */
  async end() {
    const env = this.#env;
    this.#ended = true;
    env.revoke(this.#parent);
    await Promise.allSettled(this.#underWay);
    await Promise.all(Array.from(this.#tickets.values(), ({ ticket }) => env.close(ticket)));
    this.#tickets.clear();
    this.#thread?.[Symbol.dispose]();
    if (this.#rom) await env.close(this.#rom);
    if (this.#cpu) await env.close(this.#cpu);
    if (this.#pd) await env.close(this.#pd);
    for (const id of this.#configs.keys()) this.#closeConfig(id);
  }

  async #look() {
    if (this.#ended) return;
    // Its end may overtake the question.
    const { state } = await this.#thread.state().catch(() => ({ state: 'killed' }));
    if (state === 'crashed') this.#tellOver('crash');
  }

  #track(promise) {
    this.#underWay.add(promise);
    const forget = () => this.#underWay.delete(promise);
    promise.then(forget, forget);
    return promise;
  }

  async #session({ id, service, label, args, ram, caps }) {
    const env = this.#env;
    if (service === 'ROM' && label === 'config') return this.#openConfig(id);
    const donation = { ram, caps };
    await this.#pd.transfer(env.pd, donation);
    let ticket;
    try {
      const own = label === '' ? this.#options.name : prependLabel(this.#options.name, label);
      ticket = await env.request(session(service, {}), { label: own, args, donation });
    } catch (error) {
      await this.#refund(donation);
      throw error;
    }
    if (!this.#ended) {
      this.#tickets.set(id, { ticket, donation });
      return ticket.capability;
    }
    await env.close(ticket);
    throw new SessionError('DENIED', 'the client has ended');
  }

  async #upgrade(id, more) {
    const open = this.#tickets.get(id);
    if (!open) throw new SessionError('DENIED', `no session ${id}`);
    await this.#pd.transfer(this.#env.pd, more);
    try {
      await this.#env.upgrade(open.ticket, more);
    } catch (error) {
      await this.#refund(more);
      throw error;
    }
    const { ram, caps } = open.donation;
    open.donation = { ram: ram + more.ram, caps: caps + more.caps };
  }

  async #close(id) {
    if (this.#configs.has(id)) {
      this.#closeConfig(id);
      return NOTHING;
    }
    const open = this.#tickets.get(id);
    if (!open) return NOTHING;
    this.#tickets.delete(id);
    const kept = await this.#env.close(open.ticket);
    const { ram, caps } = open.donation;
    await this.#refund({ ram: ram - kept.ram, caps: caps - kept.caps });
    return kept;
  }

  /** Its account gives everything back to us anyway when it ends. */
  async #refund(donation) {
    if (!this.#ended) await this.#env.pd.transfer(this.#pd, donation);
  }

  #openConfig(id) {
    const config = this.#module.open();
    this.#configs.set(id, config);
    return this.#env.capability(Rom, config);
  }

  #closeConfig(id) {
    const config = this.#configs.get(id);
    this.#configs.delete(id);
    this.#env.revoke(config);
    config[Symbol.dispose]();
  }
}
