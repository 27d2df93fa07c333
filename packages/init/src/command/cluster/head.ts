/** Makes a running system the head of a cluster: its components may run on other machines. */
import { BusProcess, ClusterPlatform, NodeLedger, type NodePlatform } from '@ginit/core/supervisor';
import { formatBytes } from '@ginit/core/config';
import { startsOf } from '../../check/index.ts';
import type { InitConfig, Quota } from '../../model/index.ts';
import type { Output } from '../output.ts';
import type { ClusterHead } from '../run.ts';
import { HEAD_NAME, type OnBus, ownFacts } from './bus-options.ts';

/** The cluster of a running system. */
export class Head implements ClusterHead {
  readonly platform: ClusterPlatform;
  readonly #bus: BusProcess;
  readonly #onBus: OnBus;
  #failed: () => void = () => {};
  /** All nodes are lost then, and nobody needs to be told. */
  #leaving = false;

  constructor(local: NodePlatform, onBus: OnBus, quota: Quota, output: Output) {
    this.#onBus = onBus;
    const { servers, cluster } = onBus.options;
    this.#bus = new BusProcess(onBus.options, {
      connected: () => output.say(`cluster "${cluster}": on the bus at ${servers.join(', ')}`),
      complaint: (text) => output.say(text),
      failed: (reason) => {
        output.say(`bus: ${reason}`);
        this.#failed();
      },
    });
    local.useBus(this.#bus);
    this.platform = new ClusterPlatform({
      local,
      ledger: new NodeLedger(HEAD_NAME, quota.ram),
      line: this.#bus,
      facts: ownFacts(),
      observer: {
        joined: (name, { ramBytes, cores }) =>
          output.say(
            `node "${name}" is there: ${cores} ${cores === 1 ? 'CPU' : 'CPUs'}, ${formatBytes(ramBytes)} of RAM`,
          ),
        lost: (name, reason) => {
          if (!this.#leaving) output.say(`node "${name}" is not there: ${reason}`);
        },
        line: (label, text) => output.passingLine(text, `[${label}] `),
      },
    });
  }

  onFailed(handler: () => void): void {
    this.#failed = handler;
  }

  /** Lets those in that this config lets attach components, and the nodes of the list. */
  goBy(config: InitConfig): void {
    const attachers = startsOf(config).flatMap(({ start }) => start.place?.attach ?? []);
    const nodes = this.#onBus.members.filter(
      ({ key }) => key !== this.#onBus.publicKey && !attachers.includes(key),
    );
    this.platform.setMembers(nodes, [...new Set(attachers)]);
  }

  /** Leaves the bus. */
  async close(): Promise<void> {
    this.#leaving = true;
    await this.#bus.destroy();
  }
}

/** The first start node that needs a cluster; `undefined` if none does. */
export function needsCluster(config: InitConfig): string | undefined {
  return startsOf(config).find(({ start }) => start.place !== undefined)?.path;
}
