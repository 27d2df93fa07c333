/** A node of the cluster, from when it presents itself until it is lost, as the head sees it. */
import type { Carrier } from '../../channel/carrier.ts';
import { grantCovers, grantText } from '../../session/host-grant.ts';
import { ShapeError } from '../../interface/shapes.ts';
import { unreachable } from '../../errors.ts';
import { NodeLedger } from '../../supervisor/node-ledger.ts';
import { nativeMisfit } from './facts.ts';
import {
  type HeadMessage,
  type NodeMessage,
  nodeMessage,
  type NodeOffer,
  PIECE_BYTES,
  readMessage,
  writeMessage,
} from './messages.ts';
import type { Host, RemoteComponent } from './remote-component.ts';

/** How long the last frames of a component are waited for that has ended. */
const LAST_FRAMES_US = 2_000_000;

/** What a session needs of the cluster. */
export interface NodeSessionOwner {
  /** The node has said what it lends; the result says why it is not wanted, if it is not. */
  presented(session: NodeSession, offer: NodeOffer): string | undefined;
  /** It is lost, or has broken the protocol. */
  lost(session: NodeSession, reason: string): void;
  /** Something has become free there. */
  freed(): void;
  line(label: string, text: string): void;
  after(us: number, handler: () => void): () => void;
}

/** One node, while it is there. */
export class NodeSession implements Host {
  readonly name: string;
  readonly key: string;
  /** Whether it is somebody who attaches one component. */
  readonly attaches: boolean;
  readonly components = new Map<number, RemoteComponent>();
  readonly #carrier: Carrier;
  readonly #owner: NodeSessionOwner;
  /** What is called when the channel of two components has ended, by their numbers. */
  readonly #parted = new Map<string, () => void>();
  #offer: NodeOffer | undefined;
  #ledger: NodeLedger | undefined;
  #telling = false;
  #isOver = false;

  constructor(name: string, key: string, attaches: boolean, carrier: Carrier, owner: NodeSessionOwner) {
    this.name = name;
    this.key = key;
    this.attaches = attaches;
    this.#carrier = carrier;
    this.#owner = owner;
    carrier.closed((reason) => this.end(reason ?? 'it has closed'));
    carrier.receive((frame) => this.#receive(frame));
  }

  /** What it lends; missing until it has said so and was taken. */
  get offer(): NodeOffer | undefined {
    return this.#offer;
  }

  get ledger(): NodeLedger | undefined {
    return this.#ledger;
  }

  tell(message: HeadMessage, body?: Uint8Array): void {
    if (!this.#isOver) this.#carrier.send(writeMessage(message, body), []);
  }

  /** Why a component cannot run here at all; `undefined` if it can. */
  unsuited({ specification: { usedGrants, grants, code } }: RemoteComponent): string | undefined {
    const offer = this.#offer;
    if (!offer) return `the node "${this.name}" is not there`;
    const wanted = usedGrants.length > 0 ? usedGrants : grants;
    const missing = wanted.find((grant) => !offer.lends.some((lent) => grantCovers(lent, grant)));
    if (missing) return `the node "${this.name}" does not lend ${grantText(missing)}`;
    if (this.attaches) return undefined;
    if (!code) return 'its code cannot travel to another machine';
    return nativeMisfit(code().native, offer.facts);
  }

  /** Starts a component here. */
  start(component: RemoteComponent): void {
    const { id, label, code, heapBytes, ramBytes, hostDepth, scheduling, grants, usedGrants } =
      component.specification;
    const list = this.attaches ? undefined : code?.();
    this.components.set(id, component);
    this.tell({
      say: 'start',
      id,
      label,
      code: list && { entry: list.entry, files: [...list.files], links: [...list.links] },
      heapBytes,
      ramBytes,
      hostDepth,
      scheduling,
      grants: grants.map(({ kind, path, access }) => ({ kind, path, access })),
      usesGrants: usedGrants.length > 0,
    });
    component.place(this);
  }

  /** Remembers whom to tell when the channel of two components has ended. */
  watch(component: number, peer: number, parted: () => void): void {
    this.#parted.set(`${component} ${peer}`, parted);
  }

  /** The carrier of a component is there. The result says why it is not wanted. */
  carrierOf(id: number, carrier: Carrier): string | undefined {
    const component = this.components.get(id);
    if (!component) return 'there is no such component here';
    if (component.carrier.isThere) return 'it has its channel already';
    // A component that cannot be reached any more is of no use to anybody.
    component.carrier.closed(() => this.tell({ say: 'kill', id }));
    component.carrier.attach(carrier);
    return undefined;
  }

  /** Lets it go, for a reason that it is told. */
  refuse(reason: string): void {
    this.tell({ say: 'refused', reason });
    this.end(reason);
  }

  /** It is gone: so are its components. */
  end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#carrier.close();
    this.#owner.lost(this, reason);
    const what = this.attaches
      ? `whoever attached it is gone: ${reason}`
      : `the node "${this.name}" is lost: ${reason}`;
    for (const component of this.components.values()) {
      this.components.delete(component.id);
      component.end({ crashed: true, reason: what, culprit: false, nodeLost: true });
    }
    this.#parted.clear();
  }

  #receive(frame: Uint8Array): void {
    let message: NodeMessage;
    try {
      ({ message } = readMessage(nodeMessage, frame));
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      return this.refuse(`it broke the protocol of clusters: ${error.message}`);
    }
    this.#obey(message);
  }

  #obey(message: NodeMessage): void {
    switch (message.say) {
      case 'present':
        return this.#presented(message.offer);
      case 'started': {
        const component = this.components.get(message.id);
        if (component) [component.pid, component.jailed] = [message.pid, message.jailed];
        return undefined;
      }
      case 'ended':
        return this.#ended(message);
      case 'want':
        return this.#wanted(message.hash, message.offset);
      case 'parted': {
        const key = `${message.component} ${message.peer}`;
        const parted = this.#parted.get(key);
        this.#parted.delete(key);
        return parted?.();
      }
      case 'line': {
        // A node speaks for what runs there, and for nobody else.
        const known = [...this.components.values()].some(
          ({ specification }) => specification.label === message.label,
        );
        return known ? this.#owner.line(message.label, message.text) : undefined;
      }
      default:
        return unreachable(message);
    }
  }

  #presented(offer: NodeOffer): void {
    if (this.#offer) return this.refuse('it presented itself twice');
    const refusal = this.#owner.presented(this, offer);
    if (refusal !== undefined) return this.refuse(refusal);
    this.#offer = offer;
    this.#ledger = new NodeLedger(this.name, offer.ramBytes, () => this.#tellUse());
    this.tell({ say: 'taken' });
    this.#owner.freed();
  }

  /** What is used is told as it stands after a turn in which it has changed. */
  #tellUse(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      this.tell({ say: 'used', bytes: this.#ledger?.usedBytes ?? 0 });
      this.#owner.freed();
    });
  }

  /** The end is told when everything is heard that the component has said before. */
  #ended({ id, crashed, reason, culprit }: Extract<NodeMessage, { say: 'ended' }>): void {
    const component = this.components.get(id);
    if (!component) return;
    const over = (): void => {
      cancel();
      if (!this.components.delete(id)) return;
      component.end({ crashed, reason, culprit });
      this.#owner.freed();
    };
    const cancel = this.#owner.after(component.carrier.isThere ? LAST_FRAMES_US : 0, over);
    component.carrier.closed(over);
  }

  #wanted(hash: string, offset: number): void {
    for (const { specification } of this.components.values()) {
      const content = specification.code?.().read(hash);
      if (!content) continue;
      const piece = content.subarray(offset, offset + PIECE_BYTES);
      const last = offset + piece.byteLength >= content.byteLength;
      return this.tell({ say: 'piece', hash, offset, last, there: true }, piece);
    }
    this.tell({ say: 'piece', hash, offset, last: true, there: false });
  }
}
