/**
 * A nursery: starts components, lets them act for a while, and ends them: killed at work, in a
 * tight loop, or dead already.
 */
import { component } from '@ginit/core';
import { Cpu, Pd } from '@ginit/core/system';
import { Member } from '../activity/member.mjs';
import { Offspring } from '../activity/offspring.mjs';
import { node } from '../plan/nodes.mjs';
import { roundAt } from '../plan/steps.mjs';
import { DOMAINS, SCRAP } from '../plan/tree.mjs';
import { Director, Peer, Sink } from '../sessions.mjs';

const LANES = 2;
const HEAP_BYTES = 64 * 1024 * 1024;
const VICTIM = { ram: 4 * 1024 * 1024, caps: 200 };
const INIT = { ram: 20 * 1024 * 1024, caps: 1000 };
const SERVICES = ['ROM', 'LOG', 'PD', 'CPU', 'Timer', 'Peer', 'Sink'];

class Nursery {
  #env;
  #member;
  #name;
  #binary;
  #peers;
  #round = 0;
  #resting = false;
  #lanes = [];

  constructor(env, member) {
    this.#env = env;
    this.#member = member;
    this.#name = env.config.node.value('name');
    this.#binary = env.config.node.value('victim');
    this.#peers = env.config.node
      .childrenOf('peer')
      .map((peer) => node('peer', { name: peer.value('name') }));
  }

  async run() {
    this.#lanes = Array.from({ length: LANES }, () => this.#lane());
    await Promise.all(this.#lanes);
  }

  async rest() {
    this.#resting = true;
    await Promise.all(this.#lanes);
  }

  async #lane() {
    while (!this.#resting) await this.#oneRound(this.#round++);
  }

  async #oneRound(number) {
    const { tally, seed } = this.#member;
    const round = roundAt(seed, this.#name, number, [...DOMAINS, SCRAP]);
    const name = `v${number}`;
    const child = new Offspring(this.#env, { name, heap: HEAP_BYTES, ...this.#startOf(round, name) });
    const { ok } = await tally.attempt('start a component', name, () => child.start());
    if (ok) {
      await Promise.race([child.over, this.#env.timer.sleep(round.lifeMs)]);
      tally.count('kills', round.victims.length);
    }
    await tally.attempt('end a component', name, () => child.end());
  }

  /** The components to start in a round: the victim itself, or an init whose children they are. */
  #startOf({ nested, victims, isolation, domain }, name) {
    const [first] = victims;
    if (!nested) return { ...this.#victim(first, name), ...VICTIM };
    const services = node(
      'parent-provides',
      {},
      SERVICES.map((service) => node('service', { name: service })),
    );
    const routes = node('default-route', {}, [node('any-service', {}, [node('parent')])]);
    const starts = victims.map((victim, index) => {
      const { binary, config, ...place } = this.#victim(victim, `${name}.${index}`);
      return node('start', { name: `w${index}`, ram: '4M', caps: VICTIM.caps, heap: '64M', ...place }, [
        node('binary', { name: binary }),
        config,
      ]);
    });
    const config = node('config', {}, [services, routes, ...starts]);
    return { binary: 'init', config, isolation, domain, ...INIT };
  }

  #victim({ manner, isolation, domain, steps }, name) {
    const machines = this.#env.config.node.value('machines');
    const attributes = { name: `${this.#name}/${name}`, seed: this.#member.seed, manner, steps, machines };
    const config = node('config', attributes, this.#peers);
    return { binary: this.#binary, config, isolation, domain: isolation === 'process' ? undefined : domain };
  }
}

export default component({ mayRequire: [Pd, Cpu, Peer, Sink, Director] }, async (env) => {
  const member = await Member.join(env);
  const nursery = new Nursery(env, member);
  await member.follow({ rest: () => nursery.rest(), clear: () => {} });
  await nursery.run();
});
