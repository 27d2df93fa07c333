/**
 * A node: it presents itself to the head of a cluster, and runs components for it on the machine's
 * own platform. When the head is lost, so is what it has started here; the node presents itself
 * anew until it is told to stop. It gives away nothing that its owner does not lend: RAM, CPUs and
 * host grants; and what it runs is jailed.
 */
import type { Carrier } from '../../channel/carrier.ts';
import { RpcError, unreachable } from '../../errors.ts';
import { ShapeError } from '../../interface/shapes.ts';
import { LIMITS } from '../../limits.ts';
import { grantCovers, grantText, type HostGrantFact } from '../../session/host-grant.ts';
import type { JailDemand } from '../../session/cpu.ts';
import type { CpuAffinity } from '../../session/scheduling.ts';
import type { ResolvedGrant } from '../../runtime/host-access.ts';
import type { ComponentEnd } from '../../supervisor/platform.ts';
import type { BusLine } from './bus-line.ts';
import type { CodeInUse, CodeStore } from './code-store.ts';
import { FileFetcher } from './file-fetcher.ts';
import { HostedComponent } from './hosted-component.ts';
import type { LocalPlatform } from './local-platform.ts';
import {
  ATTACH_TICKET,
  COMPONENT_TICKET,
  type HeadMessage,
  headMessage,
  NODE_TICKET,
  type NodeMessage,
  type NodeOffer,
  readMessage,
  writeMessage,
} from './messages.ts';

/** The pause before a node presents itself again. */
const PAUSE_US = 1_000_000;

/** Is told how it goes, for people. */
export interface NodeObserver {
  /** The head has taken it. */
  taken(): void;
  /** The head is lost, or has refused it. */
  lost(reason: string): void;
  started(label: string): void;
  ended(label: string, end: ComponentEnd): void;
}

/** The parts of a node. */
export interface NodeParts {
  readonly line: BusLine;
  readonly local: LocalPlatform;
  /** The public key of the head. */
  readonly head: string;
  readonly offer: NodeOffer;
  /** What is lent of the host, with where it is. */
  readonly lends: readonly ResolvedGrant[];
  /** The lent CPUs as a part of all of them. */
  readonly cpus: CpuAffinity | undefined;
  /** Where the code of components comes from; or the code of the one that is attached from here. */
  readonly code: CodeStore | CodeInUse;
  readonly observer: NodeObserver;
}

type StartMessage = Extract<HeadMessage, { say: 'start' }>;

/** One node. */
export class NodeAgent {
  readonly #parts: NodeParts;
  readonly #hosted = new Map<number, HostedComponent>();
  #files: FileFetcher | undefined;
  #carrier: Carrier | undefined;
  #cancelPause: (() => void) | undefined;
  #lastTrouble: string | undefined;
  #stopped = false;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    parts.line.listen({
      opened: () => 'nobody opens channels to a node, but to its components',
      linked: () => {},
      unlinked: () => {},
    });
    parts.line.admit([parts.head]);
    this.#present();
  }

  get components(): number {
    return this.#hosted.size;
  }

  /** A line that a component has written past its log. */
  line(label: string, text: string): void {
    this.#tell({ say: 'line', label, text: text.slice(0, LIMITS.logLineCharacters) });
  }

  /** Ends what runs here, and leaves the cluster. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelPause?.();
    // First the head is told, so that it takes what ends here for lost with the node.
    this.#carrier?.close();
    this.#carrier = undefined;
    this.#files?.end();
    await this.#endAll();
  }

  get #attaches(): boolean {
    return 'binary' in this.#parts.code;
  }

  #present(): void {
    this.#cancelPause = undefined;
    const { line, head, offer } = this.#parts;
    const carrier = line.open(head, this.#attaches ? ATTACH_TICKET : NODE_TICKET);
    this.#carrier = carrier;
    this.#files = new FileFetcher((hash, offset) => this.#tell({ say: 'want', hash, offset }));
    carrier.closed((reason) => void this.#lost(carrier, reason ?? 'it has closed the channel'));
    carrier.receive((frame) => this.#receive(carrier, frame));
    this.#tell({ say: 'present', offer });
  }

  async #lost(carrier: Carrier, reason: string): Promise<void> {
    if (this.#carrier !== carrier) return;
    this.#carrier = undefined;
    this.#files?.end();
    if (reason !== this.#lastTrouble) this.#parts.observer.lost(reason);
    this.#lastTrouble = reason;
    await this.#endAll();
    if (this.#stopped) return;
    this.#cancelPause = this.#parts.local.after(PAUSE_US, () => this.#present());
  }

  async #endAll(): Promise<void> {
    await Promise.all(Array.from(this.#hosted.values(), (hosted) => hosted.kill()));
  }

  #tell(message: NodeMessage): void {
    this.#carrier?.send(writeMessage(message), []);
  }

  #receive(carrier: Carrier, frame: Uint8Array): void {
    if (this.#carrier !== carrier) return;
    try {
      const { message, body } = readMessage(headMessage, frame);
      this.#obey(message, body);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      this.#giveUp(`it broke the protocol of clusters: ${error.message}`);
    }
  }

  /** Ends the dealings with this head. */
  #giveUp(reason: string): void {
    const carrier = this.#carrier;
    if (!carrier) return;
    carrier.close();
    void this.#lost(carrier, reason);
  }

  #obey(message: HeadMessage, body: Uint8Array): void {
    switch (message.say) {
      case 'taken':
        this.#lastTrouble = undefined;
        return this.#parts.observer.taken();
      case 'refused':
        return this.#giveUp(`it refuses this node: ${message.reason}`);
      case 'peers':
        return this.#parts.line.admit([this.#parts.head, ...message.keys]);
      case 'start':
        return void this.#start(message);
      case 'kill':
        return this.#kill(message.id);
      case 'connect':
        return this.#connect(message.first, message.second);
      case 'join':
        return this.#join(message);
      case 'used':
        if (message.bytes <= this.#parts.offer.ramBytes) return undefined;
        return this.#giveUp(
          `it uses ${message.bytes} bytes of RAM, and ${this.#parts.offer.ramBytes} are lent`,
        );
      case 'piece':
        return this.#files?.take(message.hash, message.offset, message.there ? body : undefined);
      default:
        return unreachable(message);
    }
  }

  async #start(message: StartMessage): Promise<void> {
    const { id, label, ramBytes } = message;
    if (this.#hosted.has(id)) return this.#giveUp(`it has started component ${id} twice`);
    const hosted = new HostedComponent(id, label, ramBytes);
    this.#hosted.set(id, hosted);
    try {
      this.#refuseTooMuch();
      const grants = message.grants.map((grant) => this.#lent(grant));
      hosted.code = await this.#codeFor(message);
      if (hosted.killed) throw new RpcError('DENIED', 'killed');
      this.#run(message, hosted, hosted.code, grants);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#ended(hosted, { crashed: !hosted.killed, reason, culprit: true });
    }
  }

  /** The head books what it uses, and the node adds up for itself what it was asked to start. */
  #refuseTooMuch(): void {
    const bytes = Array.from(this.#hosted.values(), ({ ramBytes }) => ramBytes).reduce(
      (sum, one) => sum + one,
      0,
    );
    const { ramBytes: lent } = this.#parts.offer;
    if (bytes > lent)
      throw new RpcError('OUT_OF_RAM', `${bytes} bytes of RAM are wanted here, and ${lent} are lent`);
  }

  #lent(wanted: HostGrantFact): ResolvedGrant {
    const found = this.#parts.lends.find((lent) => grantCovers(lent, wanted));
    if (!found) throw new RpcError('DENIED', `this node does not lend ${grantText(wanted)}`);
    return { ...found, access: wanted.access };
  }

  async #codeFor({ code: list }: StartMessage): Promise<CodeInUse> {
    const { code } = this.#parts;
    if ('binary' in code) return { binary: code.binary, release: () => {} };
    if (!list) throw new RpcError('NO_BINARY', 'no code was named');
    const files = this.#files;
    if (!files) throw new RpcError('NO_BINARY', 'the head is gone');
    return code.prepare(list, (file) => files.fetch(file));
  }

  #run(
    { id, label, heapBytes, ramBytes, hostDepth, scheduling, usesGrants }: StartMessage,
    hosted: HostedComponent,
    { binary }: CodeInUse,
    grants: readonly ResolvedGrant[],
  ): void {
    const { local, line, head, cpus, observer } = this.#parts;
    if (binary.takes !== 'nothing' && grants.length === 0)
      throw new RpcError('DENIED', 'it imports modules of the host, and nothing of this host is lent to it');
    // Whoever attaches a component trusts it with his own machine as far as any user of ginit does.
    const jail: JailDemand = this.#attaches ? 'default' : 'required';
    const running = local.start(
      {
        id,
        label,
        moduleUrl: binary.moduleUrl,
        files: binary.files,
        domain: label,
        ownProcess: true,
        heapBytes,
        ramBytes,
        hostDepth,
        scheduling: { ...scheduling, affinity: cpus ? [cpus] : [] },
        grants,
        usedGrants: usesGrants ? grants : [],
        jail,
        confined: !this.#attaches,
      },
      (end) => this.#ended(hosted, end),
    );
    if (!this.#hosted.has(id)) return;
    hosted.started(running, line.open(head, `${COMPONENT_TICKET}${id}`));
    const { pid, jail: standing } = running.placement;
    this.#tell({ say: 'started', id, pid, jailed: standing?.jailed === true });
    observer.started(label);
  }

  #ended(hosted: HostedComponent, end: ComponentEnd): void {
    if (!this.#hosted.delete(hosted.id)) return;
    const { crashed, reason, culprit } = end;
    this.#tell({
      say: 'ended',
      id: hosted.id,
      crashed,
      reason: reason.slice(0, LIMITS.reasonBytes),
      culprit,
    });
    hosted.ended();
    this.#parts.observer.ended(hosted.label, end);
  }

  #kill(id: number): void {
    const hosted = this.#hosted.get(id);
    if (!hosted) return;
    void hosted.kill();
  }

  #connect(first: number, second: number): void {
    const failed = (): void => this.#tell({ say: 'parted', component: first, peer: second });
    this.#whenStarted(first, () =>
      this.#whenStarted(second, () => this.#parts.local.connect(first, second, failed)),
    );
  }

  #join({ component, peer, key, ticket, opens }: Extract<HeadMessage, { say: 'join' }>): void {
    const ended = (): void => this.#tell({ say: 'parted', component, peer });
    this.#whenStarted(component, () =>
      this.#parts.local.joinOverBus(component, peer, { key, ticket, opens }, ended),
    );
  }

  /** A component that is gone needs no channels: the head knows, or will. */
  #whenStarted(id: number, act: () => void): void {
    const hosted = this.#hosted.get(id);
    if (hosted?.running) act();
    else hosted?.whenStarted.push(act);
  }
}
