/** A component that runs on a node, or waits for one, as the head of the cluster sees it. */
import type { Carrier } from '../../channel/carrier.ts';
import type {
  ComponentEnd,
  ComponentSpecification,
  Placement,
  PlatformComponent,
} from '../../supervisor/platform.ts';
import { PendingCarrier } from './pending-carrier.ts';
import type { HeadMessage } from './messages.ts';

/** The phrase for a component whose node was not looked for yet. */
const NOT_PLACED = 'waits for a node';

/** The node of a component. */
export interface Host {
  readonly name: string;
  readonly key: string;
  tell(message: HeadMessage): void;
  /** Calls `parted` when the channel of the two has ended. */
  watch(component: number, peer: number, parted: () => void): void;
}

/** One component. */
export class RemoteComponent implements PlatformComponent {
  readonly specification: ComponentSpecification;
  /** The carrier to it, which comes when the node has started it. */
  readonly carrier = new PendingCarrier();
  readonly supervisor: Carrier;
  /** What is to be done when it has a node: channels to others. */
  readonly whenPlaced: (() => void)[] = [];
  readonly gone: Promise<void>;
  node: Host | undefined;
  waits: string | undefined = NOT_PLACED;
  pid: number | undefined;
  jailed = true;
  readonly #ended: (end: ComponentEnd) => void;
  readonly #kill: (component: RemoteComponent) => void;
  #isGone = false;
  #settle: () => void = () => {};

  constructor(
    specification: ComponentSpecification,
    ended: (end: ComponentEnd) => void,
    kill: (component: RemoteComponent) => void,
  ) {
    this.specification = specification;
    this.#ended = ended;
    this.#kill = kill;
    this.gone = new Promise((resolve) => {
      this.#settle = resolve;
    });
    // The supervisor learns of the end of a component by `ended`, which comes with the reason.
    this.supervisor = {
      sharing: this.carrier.sharing,
      send: (frame, memory, left) => this.carrier.send(frame, memory, left),
      receive: (handler) => this.carrier.receive(handler),
      closed: () => {},
      close: (accused) => this.carrier.close(accused),
    };
  }

  get id(): number {
    return this.specification.id;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get placement(): Placement {
    const { label } = this.specification;
    const standing = this.jailed
      ? { jailed: true as const }
      : { jailed: false as const, reason: 'it cannot be' };
    return {
      kind: 'process',
      domain: label,
      pid: this.pid,
      node: this.node?.name,
      jail: this.node && standing,
    };
  }

  /** It runs on this node from now on. */
  place(node: Host): void {
    this.node = node;
    this.waits = undefined;
    for (const act of this.whenPlaced.splice(0)) act();
  }

  async kill(): Promise<void> {
    if (!this.#isGone) this.#kill(this);
    await this.gone;
  }

  /** It has ended; only the first end counts. */
  end(end: ComponentEnd): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.whenPlaced.length = 0;
    this.carrier.close();
    this.#ended(end);
    this.#settle();
  }
}
