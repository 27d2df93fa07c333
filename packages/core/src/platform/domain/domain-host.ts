/**
 * The components of a domain process, and the relays between their ports and the links to other
 * processes.
 */
import type { Socket } from 'node:net';
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { loadsUnderWay } from 'sharedarraybuffer-polyfill/load-guard';
import { assert } from '../../errors.ts';
import { linesOf } from '../../log-text.ts';
import { type Place, wordsAt } from '../../memory/place.ts';
import { enterJail } from '../jail/enter.ts';
import { prepareJail } from '../jail/prepare.ts';
import { removeLeftOver } from '../host/left-over-socket.ts';
import type { JailRules } from '../jail/rules.ts';
import { channelMemory, type ChannelEnd, markClosed } from '../wire/channel-memory.ts';
import { LineCutter } from '../host/line-cutter.ts';
import { Bell, endLife, lifeMemory, SLOTS } from '../wire/doorbell.ts';
import { boundProcess } from '../thread/memory/memory-bound.ts';
import type { KeeperLine } from '../wire/memory-protocol.ts';
import {
  CONTROL_SLOT,
  SUPERVISOR_SLOT,
  FIRST_CHANNEL_SLOT,
  type WorkerInput,
  type WorkerMessage,
} from '../wire/worker-protocol.ts';
import { ComponentThread, type Loading, type ThreadStart } from './component-thread.ts';
import { describeCrash } from '../wire/crash-reason.ts';
import type { DomainEvent, ShareCommand, StartCommand } from '../wire/domain-protocol.ts';
import { OwnDoorbells } from '../wire/doorbells.ts';
import type { ForeignChannels } from './foreign-channels.ts';
import { Link, type LinkProof } from '../wire/link.ts';
import { RelayTable } from './relay-table.ts';
import { portCountMemory } from '../wire/port-count.ts';
import { lackIn, lastLinesIn, useIn } from './thread-notice.ts';

/**
 * How long a thread that is to end may go on loading its component's modules. If a thread is
 * terminated while its loader has files open, Node never closes these.
 */
const LOAD_TIMEOUT_MS = 2000;
const LOAD_LOOK_MS = 2;

/** A channel between two components of this process, as one of the two has it. */
interface LocalChannel {
  readonly end: ChannelEnd;
  readonly peer: RunningComponent;
  readonly peerSlot: number;
}

interface RunningComponent {
  readonly worker: Worker;
  readonly supervisorPort: MessagePort;
  readonly keeperPort: MessagePort;
  readonly doorbell: Place;
  readonly bell: Bell;
  readonly life: Place;
  /** The channels to other components of this process, by their memory. */
  readonly channels: Map<Place, LocalChannel>;
  nextSlot: number;
  readonly loading: Loading;
  /** Why it has crashed, once that is known. */
  crash: string | undefined;
  killed: boolean;
}

/** The parts of a join command that the host needs. */
interface JoinRequest {
  readonly component: number;
  readonly peer: number;
  readonly link: number;
  readonly channel: number;
  readonly peerName: string;
  readonly elsewhere: boolean;
}

/** The components of a domain process. */
export class DomainHost {
  readonly #up: Link;
  readonly #doorbells: OwnDoorbells;
  readonly #foreign: ForeignChannels | undefined;
  readonly #components = new Map<number, RunningComponent>();
  readonly #supervisorRelays: RelayTable;
  readonly #links = new Map<number, { link: Link; relays: RelayTable }>();
  readonly #joinsWaiting: JoinRequest[] = [];
  /** Whether the kernel bounds the memory of the process. */
  #bounded = false;
  #ahead: ComponentThread | undefined;
  /** Runs the component for which the process has locked itself up; missing while there is none. */
  #runJailed: (() => void) | undefined;

  /**
   * `foreign` is there where memory can be shared with other processes. `ahead` is a thread for the
   * first component, if that one can use it.
   */
  constructor(up: Link, foreign: ForeignChannels | undefined, ahead: ComponentThread | undefined) {
    this.#up = up;
    this.#ahead = ahead;
    const gone = (): void => {
      if (this.#ahead === ahead) this.#ahead = undefined;
    };
    ahead?.worker.once('exit', gone).once('error', gone);
    this.#foreign = foreign;
    this.#doorbells = new OwnDoorbells(foreign?.doorbells);
    this.#supervisorRelays = new RelayTable(up);
  }

  /**
   * Starts a component in a thread of its own. If the process is to be jailed, the thread waits for
   * `run`.
   */
  start(command: StartCommand): void {
    const { component, label, moduleUrl, heapBytes, processBytes, grants, scheduling, jail } = command;
    this.#bounded = processBytes !== undefined;
    const { port1, port2 } = new MessageChannel();
    const { census } = this.#doorbells;
    const doorbell = this.#doorbells.take(command.doorbell);
    const life = lifeMemory();
    const keeper = new MessageChannel();
    const input: WorkerInput = {
      moduleUrl,
      supervisorPort: port2,
      grants,
      scheduling,
      watch: command.audit ? 'everything' : jail ? 'refusals' : 'nothing',
      // In a jail this main thread sets the bound, because it can still read the files that this
      // takes.
      processBytes: jail ? undefined : processBytes,
      doorbell,
      census,
      life,
      keeper: this.#keeperLine(component, keeper, grants.length > 0),
    };
    const transfer = [port2, keeper.port2];
    const start = { label, input, transfer, heapBytes };
    const thread = jail ? this.#waitingThread(heapBytes) : this.#thread(start);
    const { worker, loading } = thread;
    const bell = new Bell(doorbell, census);
    const running: RunningComponent = {
      worker,
      supervisorPort: port1,
      keeperPort: keeper.port1,
      doorbell,
      bell,
      life,
      channels: new Map(),
      nextSlot: FIRST_CHANNEL_SLOT,
      loading,
      crash: undefined,
      killed: false,
    };
    this.#components.set(component, running);
    this.#supervisorRelays.add(component, { port: port1, ring: () => bell.ringPort(SUPERVISOR_SLOT) });
    this.#watch(component, running, command.audit);
    this.#tell({ event: 'started', component, threadId: worker.threadId });
    if (jail) void this.#lockUp(component, jail, processBytes, () => thread.run(start));
  }

  /** Runs the component that waits for it. */
  run(component: number): void {
    if (this.#components.has(component)) this.#runJailed?.();
    this.#runJailed = undefined;
  }

  /** Ends a component at once, or as soon as its modules are loaded. */
  kill(component: number): void {
    const running = this.#components.get(component);
    if (!running || running.killed) return;
    running.killed = true;
    const { worker, loading, bell } = running;
    const terminate = (): void => {
      endLife(running.life, bell);
      void whenNothingLoads(running.life).then(() => {
        this.#tell({ event: 'ending', component });
        return worker.terminate();
      });
    };
    // The runtime's own modules are loaded sooner or later. The component's modules may loop, so
    // these are waited for with a bound.
    void loading.runtime.then(() => {
      const late = setTimeout(terminate, LOAD_TIMEOUT_MS);
      void loading.component.then(() => {
        clearTimeout(late);
        terminate();
      });
    });
  }

  /** Joins two components of this process by rings in shared memory. */
  connect(first: number, second: number): void {
    const a = this.#components.get(first);
    const b = this.#components.get(second);
    // One of them ended a moment ago, and the supervisor will tell the other.
    if (!a || !b) return;
    const memory = channelMemory();
    const { port1, port2 } = new MessageChannel();
    const [slotA, slotB] = [this.#slot(a), this.#slot(b)];
    const ofA: LocalChannel = { end: 0, peer: b, peerSlot: slotB };
    const ofB: LocalChannel = { end: 1, peer: a, peerSlot: slotA };
    a.channels.set(memory, ofA);
    b.channels.set(memory, ofB);
    const ringA = { end: ofA.end, memory, peerSlot: slotB };
    const ringB = { end: ofB.end, memory, peerSlot: slotA };
    this.#handOver(
      a,
      { kind: 'ring', peer: second, slot: slotA, ring: ringA, port: port1, peerDoorbell: b.doorbell },
      port1,
    );
    this.#handOver(
      b,
      { kind: 'ring', peer: first, slot: slotB, ring: ringB, port: port2, peerDoorbell: a.doorbell },
      port2,
    );
  }

  /**
   * Joins a component of this process to one of another process by memory that both processes
   * share.
   */
  share(command: ShareCommand): void {
    assert(this.#foreign !== undefined, 'memory is shared only where that can be done');
    const running = this.#components.get(command.component);
    if (running) this.#handOver(running, this.#foreign.open(command));
    else this.#foreign.refuse(command);
  }

  /** This process has given up memory that a component has freed; the host had been using it. */
  freed(component: number, file: number): void {
    const running = this.#components.get(component);
    if (running) this.#handOver(running, { kind: 'freed', file });
  }

  /** Another process has ended. */
  forget(process: number): void {
    this.#foreign?.forget(process);
    for (const { bell } of this.#components.values()) bell.rouse();
  }

  /** Joins a component of this process to one of another process by a socket. */
  join(request: JoinRequest): void {
    const target = this.#links.get(request.link);
    if (!target) {
      this.#joinsWaiting.push(request);
      return;
    }
    const running = this.#components.get(request.component);
    const { port1, port2 } = new MessageChannel();
    const slot = running ? this.#slot(running) : 0;
    const { component, peer, peerName, elsewhere } = request;
    const taken = portCountMemory();
    const overrun = (): void => this.#tell({ event: 'overrun', component, peerName });
    const bound = { taken, overrun };
    target.relays.add(request.channel, { port: port1, ring: () => running?.bell.ringPort(slot), bound });
    if (running) this.#handOver(running, { kind: 'port', peer, slot, port: port2, taken, elsewhere }, port2);
    else port2.close();
  }

  /** A link to another domain process has arrived. */
  addLink(id: number, socket: Socket, proof: LinkProof): void {
    const link = new Link(
      socket,
      (channel, payload) => relays.deliver(channel, payload),
      () => {
        this.#links.delete(id);
        relays.closeAll();
      },
      proof,
    );
    const relays = new RelayTable(link);
    this.#links.set(id, { link, relays });
    const ready = this.#joinsWaiting.filter((request) => request.link === id);
    for (const request of ready) {
      this.#joinsWaiting.splice(this.#joinsWaiting.indexOf(request), 1);
      this.join(request);
    }
  }

  /** Takes a frame from the supervisor for a component of this process. */
  deliver(component: number, payload: Uint8Array): void {
    this.#supervisorRelays.deliver(component, payload);
  }

  #thread(start: ThreadStart): ComponentThread {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead && start.heapBytes === undefined) {
      ahead.run(start);
      return ahead;
    }
    void ahead?.worker.terminate();
    return ComponentThread.start(start);
  }

  /**
   * A thread that is up before the process is locked up. It runs nothing but our runtime until
   * then.
   */
  #waitingThread(heapBytes: number | undefined): ComponentThread {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead && heapBytes === undefined) return ahead;
    void ahead?.worker.terminate();
    return ComponentThread.ahead(false, heapBytes);
  }

  async #lockUp(
    component: number,
    rules: JailRules,
    processBytes: number | undefined,
    run: () => void,
  ): Promise<void> {
    const running = this.#components.get(component);
    // Names of old sockets are removed before, because nobody could do that in the jail.
    const listens = rules.grants.filter(({ kind }) => kind === 'unix-listen');
    const cleared = listens.map(({ target }) => removeLeftOver(target));
    await Promise.all([running?.loading.runtime, prepareJail(), ...cleared]);
    if (!running || !this.#components.has(component)) return;
    try {
      const unbounded = processBytes === undefined ? undefined : boundProcess(processBytes);
      if (unbounded !== undefined) this.#tell({ event: 'lack', component, text: unbounded });
      enterJail({ rules, moreThreads: false });
    } catch (error) {
      // A part of the rules may be in force, so the process cannot be used for anything else.
      running.crash = `cannot be jailed: ${error instanceof Error ? error.message : String(error)}`;
      void running.worker.terminate();
      return;
    }
    this.#runJailed = run;
    this.#tell({ event: 'jailed', component });
  }

  #slot(running: RunningComponent): number {
    const slot = running.nextSlot;
    running.nextSlot = slot + 1 < SLOTS ? slot + 1 : FIRST_CHANNEL_SLOT;
    return slot;
  }

  #keeperLine(component: number, { port1, port2 }: MessageChannel, pinning: boolean): KeeperLine | undefined {
    const served = this.#foreign?.serve(component, port1, pinning);
    return served && { port: port2, ...served };
  }

  #handOver(to: RunningComponent, message: WorkerMessage, port?: MessagePort): void {
    to.worker.postMessage(message, port ? [port] : []);
    to.bell.ringPort(CONTROL_SLOT);
  }

  /** A thread has ended: its channels end at their other ends too. */
  #closeChannels(running: RunningComponent): void {
    running.bell.ownerGone();
    for (const [memory, { end, peer, peerSlot }] of running.channels) {
      markClosed(memory, end);
      peer.bell.ringSurely(peerSlot);
      peer.channels.delete(memory);
    }
    running.channels.clear();
  }

  #watch(component: number, running: RunningComponent, audited: boolean): void {
    const { worker } = running;
    for (const stream of [worker.stdout, worker.stderr]) this.#forwardOutput(component, stream);
    worker.on('message', (notice: unknown) => {
      const lack = lackIn(notice);
      if (lack !== undefined) this.#tell({ event: 'lack', component, text: lack });
      const lastLines = lastLinesIn(notice);
      // Lines that went out before are on their way to the supervisor, and come first.
      if (lastLines.length > 0) this.#supervisorRelays.drain(component);
      for (const line of lastLines) this.#tell({ event: 'output', component, line });
      const use = audited ? useIn(notice) : undefined;
      if (use && !this.#up.congested) this.#tell({ event: 'used', component, use });
    });
    worker.on('error', (error: unknown) => {
      running.crash = describeCrash(error, this.#bounded);
    });
    worker.on('exit', (code) => {
      this.#components.delete(component);
      // Everything that it has sent to the supervisor is heard before its end: its last log lines,
      // for instance.
      this.#supervisorRelays.drain(component);
      this.#closeChannels(running);
      this.#foreign?.ended(component);
      running.keeperPort.close();
      running.supervisorPort.close();
      const crashed = !running.killed;
      const reason = running.crash ?? (crashed ? `ended its thread with process.exit(${code})` : 'killed');
      this.#tell({ event: 'ended', component, crashed, reason });
    });
  }

  /**
   * Forwards text that was written past the streams which the thread puts in the place of Node's.
   */
  #forwardOutput(component: number, stream: NodeJS.ReadableStream): void {
    let lost = 0;
    const cutter = new LineCutter((text) => {
      for (const line of linesOf(text)) {
        if (this.#up.congested) lost++;
        else tellLine(line);
      }
    });
    const tellLine = (line: string): void => {
      const warnings = lost > 0 ? [`Warning: ${lost} lines lost`] : [];
      lost = 0;
      for (const told of [...warnings, line]) this.#tell({ event: 'output', component, line: told });
    };
    stream.on('data', (chunk: Uint8Array) => cutter.write(chunk));
    stream.on('end', () => {
      cutter.end();
      if (lost > 0) tellLine('');
    });
  }

  #tell(event: DomainEvent): void {
    this.#up.sendControl(event);
  }
}

/**
 * Settles when the thread loads no native module. Such loading cannot be interrupted; after this
 * the thread begins no more of it.
 */
async function whenNothingLoads(life: Place): Promise<void> {
  const words = wordsAt(life);
  const endMs = performance.now() + LOAD_TIMEOUT_MS;
  while (loadsUnderWay(words) && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, LOAD_LOOK_MS));
  }
}
