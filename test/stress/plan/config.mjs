/** The config file of a plan. */
import { fileURLToPath } from 'node:url';
import { node, toXml } from './nodes.mjs';
import { hostileOf, membersOf } from './tree.mjs';

const binary = (name) => fileURLToPath(new URL(`../components/${name}.mjs`, import.meta.url));

const CORE_SERVICES = ['ROM', 'LOG', 'PD', 'CPU', 'Timer'];
const PEER_SERVICES = ['Peer', 'Sink'];
const HOSTILE_SERVICES = ['Trap'];

const HEAP = '64M';
const NODE_QUOTA = { ram: '16M', caps: 600 };
const NURSERY_QUOTA = { ram: '64M', caps: 4000 };
const INIT_QUOTA = { ram: '80M', caps: 4000 };
const DIRECTOR_QUOTA = { ram: '8M', caps: 1000 };

const services = (type, names) =>
  node(
    type,
    {},
    names.map((name) => node('service', { name })),
  );

/** Sessions to a named peer go to the child of that name, everything else to the parent. */
function routes(nodes, hostile, targets) {
  const toChildren = (services_, names) =>
    services_.flatMap((name) =>
      names.map((peer) => node('service', { name, label_last: peer }, [node('child', { name: peer })])),
    );
  const toPeers = [...toChildren(PEER_SERVICES, nodes), ...toChildren(HOSTILE_SERVICES, hostile)];
  return node('default-route', {}, [
    ...toPeers,
    node(
      'any-service',
      {},
      targets.map((target) => node(target)),
    ),
  ]);
}

const placement = ({ isolation, domain, machine }) => ({ isolation, domain, node: machine });

class ConfigWriter {
  #plan;
  #peers;

  constructor(plan) {
    this.#plan = plan;
    this.#peers = new Map(membersOf(plan.tree).map(({ member, peers }) => [member.name, peers]));
  }

  /** Said in configs if some of them run on other machines. */
  get #machines() {
    return this.#plan.tree.machines && 'yes';
  }

  write(seconds) {
    const { children } = this.#plan.tree;
    const nodes = children.filter(({ kind }) => kind === 'node').map(({ name }) => name);
    return toXml(
      node('config', {}, [
        services('parent-provides', CORE_SERVICES),
        routes(nodes, hostileOf(this.#plan.tree), ['parent', 'any-child']),
        // Nurseries start these.
        node('binary', { name: binary('victim') }),
        this.#director(seconds),
        ...children.map((member) => this.#start(member)),
      ]),
    );
  }

  #director(seconds) {
    const names = [...this.#peers.keys()];
    return node('start', { name: 'director', ...DIRECTOR_QUOTA, heap: HEAP, isolation: 'process' }, [
      node('binary', { name: binary('director') }),
      services('provides', ['Director']),
      node('exit', { propagate: 'yes' }),
      node('config', { seconds, seed: this.#plan.tree.seed, machines: this.#machines }, [
        ...names.map((name) => node('member', { name })),
        ...hostileOf(this.#plan.tree).map((name) => node('hostile', { name })),
      ]),
    ]);
  }

  #start(member) {
    switch (member.kind) {
      case 'node':
        return this.#node(member);
      case 'nursery':
        return this.#nursery(member);
      case 'hostile':
        return this.#hostile(member);
      default:
        return this.#init(member);
    }
  }

  #node(member) {
    const { name, mortal, mayKill } = member;
    const lives = mortal ? [node('restart', { max: 1000, period_s: 1 })] : [];
    return node('start', { name, ...NODE_QUOTA, heap: HEAP, ...placement(member) }, [
      node('binary', { name: binary('node') }),
      services('provides', PEER_SERVICES),
      ...lives,
      this.#settings(name, { mortal: mortal ? 'yes' : 'no', may_kill: mayKill ? 'yes' : 'no' }),
    ]);
  }

  #nursery(member) {
    const { name } = member;
    // A jailed component cannot start threads.
    return node('start', { name, ...NURSERY_QUOTA, heap: HEAP, ...placement(member), jail: 'no' }, [
      node('binary', { name: binary('nursery') }),
      this.#settings(name, { victim: binary('victim') }),
    ]);
  }

  #hostile(member) {
    const { name } = member;
    const { seed } = this.#plan.tree;
    const peers = this.#plan.tree.children.filter(({ kind }) => kind === 'node');
    return node('start', { name, ...NODE_QUOTA, heap: HEAP, ...placement(member) }, [
      node('binary', { name: binary('hostile') }),
      services('provides', HOSTILE_SERVICES),
      node('restart', { max: 1000, period_s: 1 }),
      node(
        'config',
        { name, seed, machines: this.#machines },
        peers.map((peer) => node('peer', { name: peer.name })),
      ),
    ]);
  }

  #init({ name, children, ...place }) {
    const nodes = children.map((child) => child.name);
    return node('start', { name, ...INIT_QUOTA, heap: HEAP, ...placement(place) }, [
      node('binary', { name: 'init' }),
      node('config', {}, [
        services('parent-provides', [...CORE_SERVICES, ...PEER_SERVICES, ...HOSTILE_SERVICES, 'Director']),
        routes(nodes, [], ['parent']),
        ...children.map((child) => this.#node(child)),
      ]),
    ]);
  }

  #settings(name, attributes) {
    const peers = this.#peers.get(name).map((peer) => node('peer', { name: peer }));
    const traps = hostileOf(this.#plan.tree).map((trap) => node('trap', { name: trap }));
    const own = { name, seed: this.#plan.tree.seed, machines: this.#machines };
    return node('config', { ...own, ...attributes }, [...peers, ...traps]);
  }
}

/** The config of a run that stresses for so many seconds. */
export function configOf(plan, seconds) {
  return new ConfigWriter(plan).write(seconds);
}
