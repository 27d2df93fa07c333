/**
 * A domain process as the supervisor sees it: the child process, its link, and its components. When
 * the process dies, all of them end; its fatal error report tells which of them caused that.
 */
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { assert } from '../../errors.ts';
import { linesOf } from '../../log-text.ts';
import type { Carrier } from '../../channel/carrier.ts';
import { SHARES_NONE } from '../../memory/shared-memory.ts';
import { HOST_DEPTH_DEFAULT } from '../../session/cpu.ts';
import type { ComponentEnd, ComponentSpecification } from '../../supervisor/platform.ts';
import { describeEnd } from '../wire/crash-reason.ts';
import { filtersHere, missingOutside } from '../jail/verify.ts';
import { hasRings } from '../jail/rings.ts';
import { startFiltered } from './child-process/filtered-start.ts';
import type { JailRules } from '../jail/rules.ts';
import type { JailAudit } from './jail-audit.ts';
import { LineCutter } from '../host/line-cutter.ts';
import { PRIVATE_DOORBELL } from '../wire/doorbells.ts';
import {
  AHEAD,
  type DomainCommand,
  type DomainEvent,
  domainEvent,
  type JoinWay,
  NO_NUMBER,
  parseControl,
} from '../wire/domain-protocol.ts';
import { FORM_FLAGS } from '../host/form.ts';
import { LastWords } from './last-words.ts';
import { CONTROL_CHANNEL, Link, type LinkProof } from '../wire/link.ts';
import { memorySwitch } from '../host/memory-switch.ts';
import {
  type ProcessObserver,
  type ProcessStart,
  type RunningProcess,
  startPlainly,
} from './child-process/running-process.ts';
import type { DomainObserver } from './domain-observer.ts';
import { SharedProcess } from './shared-process.ts';

const DOMAIN_MAIN = new URL('../domain/domain-main.js', import.meta.url).pathname;
/** Gives threads V8's collector: they decide when to collect (`keeper-client.ts`). */
const COLLECTOR_FLAG = '--expose-gc';
const NODE_FLAGS = [COLLECTOR_FLAG, '--report-on-fatalerror', '--report-compact', '--report-filename=stderr'];
/**
 * Threads of libuv's pool in a jailed process that is no driver. All are started before the jail.
 */
const JAILED_POOL_SIZE = 4;
/** A domain that does not end a component within this time is ended itself. */
const KILL_TIMEOUT_MS = 10_000;
/**
 * First a domain waits for what the component's thread loads; that is slow if many threads start.
 */
const LOAD_TIMEOUT_MS = 60_000;
/**
 * How many different lacks are told for one process: a memory bound, a scheduling or a file lock
 * that a start node asks for and the host cannot give. Each of the three has few possible reasons.
 */
const LACKS_MAX = 16;
const OVERRUN = 'which sends more than it may without waiting';
/** How much of a malformed message is shown to people. */
const NONSENSE_CHARACTERS = 200;

interface Resident {
  readonly audit: JailAudit | undefined;
  readonly ended: (end: ComponentEnd) => void;
  readonly label: string;
  threadId: number | undefined;
  receive: ((frame: Uint8Array) => void) | undefined;
  readonly early: Uint8Array[];
  /**
   * Called when the component's thread is terminated (`ending`), and when it has ended (`gone`).
   */
  readonly ending: (() => void)[];
  readonly gone: (() => void)[];
}

/** The kind of process to start. */
export interface DomainOptions {
  readonly name: string;
  /** Whether it is for one component only. */
  readonly ownProcess: boolean;
  /** Whether it is started before its components are known: then it loads the runtime meanwhile. */
  readonly ahead?: boolean;
  /** Whether it is going to be jailed: then it is started without rings of io_uring. */
  readonly jailed?: boolean;
  /** Whether its component works with the host. */
  readonly driver?: boolean;
  /** Operations on the host that run at a time, in a process of its own. */
  readonly hostDepth?: number | undefined;
}

function startDomain(
  start: ProcessStart & { readonly withoutRings: boolean },
  shared: SharedProcess | undefined,
  observer: ProcessObserver,
): RunningProcess {
  try {
    const way = start.withoutRings ? startFiltered : startPlainly;
    return way(start, observer);
  } catch (error) {
    shared?.spawned();
    shared?.end();
    throw error;
  }
}

/** One domain process. */
export class Domain {
  /**
   * The memory that it shares with other processes; missing where processes cannot share memory.
   */
  readonly shared: SharedProcess | undefined;
  readonly #process: RunningProcess;
  readonly #link: Link;
  /** The number of filters of system calls that it had before it was jailed. */
  readonly #filtersAtBirth: number;
  #name: string;
  #observer: DomainObserver<Domain>;
  readonly #residents = new Map<number, Resident>();
  readonly #exited: Promise<void>;
  readonly #words = new LastWords((line) => this.#observer.complaint(this.#name, line));
  /** Whether it has sent a malformed message: then nothing that it says is heard any more. */
  #broken = false;
  /** Whether the kernel bounds the memory of the process. */
  #bounded = false;
  #retired = false;
  /** The lacks of its components that were told already. */
  readonly #lacks = new Set<string>();
  /** Why there was never a process, in words for people. */
  #failure: string | undefined;

  /** Throws `ProcessStartError`. */
  constructor(
    { name, ownProcess, ahead, jailed = false, driver = true, hostDepth }: DomainOptions,
    observer: DomainObserver<Domain>,
  ) {
    this.#name = name;
    this.#observer = observer;
    const shared = SharedProcess.make((command) => this.#tell(command));
    this.shared = shared;
    let gone = (): void => {};
    this.#exited = new Promise((resolve) => {
      gone = resolve;
    });
    const number = shared ? `${shared.number}` : NO_NUMBER;
    const poolSize = hostDepth ?? (jailed && !driver ? JAILED_POOL_SIZE : HOST_DEPTH_DEFAULT);
    const kind = jailed ? AHEAD.jailed : ownProcess ? AHEAD.own : AHEAD.shared;
    const withoutRings = jailed && hasRings();
    // The thread that starts it without rings has one filter more than this one.
    this.#filtersAtBirth = jailed ? filtersHere() + (withoutRings ? 1 : 0) : 0;
    this.#process = startDomain(
      {
        args: [...NODE_FLAGS, ...FORM_FLAGS, DOMAIN_MAIN, number, ...(ahead ? [kind] : [])],
        env: { ...memorySwitch(), ...(ownProcess ? { UV_THREADPOOL_SIZE: String(poolSize) } : {}) },
        descriptors: shared ? [shared.farDescriptor] : [],
        takesSockets: true,
        withoutRings,
      },
      shared,
      {
        spawned: () => shared?.spawned(),
        failed: (reason) => this.#failed(reason),
        closed: (code, signal) => {
          this.#end(code, signal);
          gone();
        },
      },
    );
    this.#link = new Link(
      this.#process.socket,
      (channel, payload) => this.#receive(channel, payload),
      () => this.#process.kill(),
    );
    for (const stream of this.#process.outputs) this.#listenTo(stream);
  }

  get name(): string {
    return this.#name;
  }

  /** Gives a process that was started ahead its name and its observer. */
  adopt(name: string, observer: DomainObserver<Domain>): void {
    assert(this.#residents.size === 0 && !this.#retired, 'a process that was started ahead waits');
    this.#name = name;
    this.#observer = observer;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Whether it takes no more components. */
  get retired(): boolean {
    return this.#retired;
  }

  /** Settles when the process is gone. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  /** Starts a component in this process; the result is core's end of the carrier to it. */
  start(
    specification: ComponentSpecification,
    ended: (end: ComponentEnd) => void,
    confinement: { readonly jail: JailRules | undefined; readonly audit: JailAudit | undefined },
  ): Carrier {
    assert(!this.#retired, 'a retired domain takes no components');
    const { id, label, moduleUrl, heapBytes, grants, scheduling } = specification;
    const resident: Resident = {
      audit: confinement.audit,
      ended,
      label,
      threadId: undefined,
      receive: undefined,
      early: [],
      ending: [],
      gone: [],
    };
    this.#residents.set(id, resident);
    this.#tell({
      command: 'start',
      component: id,
      label,
      moduleUrl,
      doorbell: this.shared?.addComponent(id) ?? PRIVATE_DOORBELL,
      heapBytes,
      processBytes: this.#boundOf(specification),
      scheduling,
      grants: [...grants],
      jail: confinement.jail,
      audit: confinement.audit !== undefined,
    });
    return this.#supervisorCarrier(id, resident);
  }

  /** Only a component that has the process to itself can be bounded by the kernel. */
  #boundOf({ ownProcess, heapBytes, ramBytes }: ComponentSpecification): number | undefined {
    this.#bounded = ownProcess && heapBytes !== undefined;
    return this.#bounded ? (heapBytes ?? 0) + ramBytes : undefined;
  }

  /** Ends a component, and with it the process if it is the only one there. */
  kill(component: number): Promise<void> {
    const resident = this.#residents.get(component);
    if (!resident) return Promise.resolve();
    if (this.#residents.size === 1) {
      this.#retired = true;
      resident.ended({ crashed: false, reason: 'killed', culprit: true });
      return this.#destroyWith(component, resident);
    }
    return new Promise((resolve) => {
      const endProcess = (): void => void this.#process.kill();
      let stuck = setTimeout(endProcess, LOAD_TIMEOUT_MS);
      resident.ending.push(() => {
        clearTimeout(stuck);
        stuck = setTimeout(endProcess, KILL_TIMEOUT_MS);
      });
      resident.gone.push(() => {
        clearTimeout(stuck);
        resolve();
      });
      this.#tell({ command: 'kill', component });
    });
  }

  /** Ends the process with its last resident, and answers everybody who wanted that one ended. */
  async #destroyWith(component: number, resident: Resident): Promise<void> {
    this.#residents.delete(component);
    await this.destroy();
    for (const wake of resident.gone) wake();
  }

  /** Ends the process at once. */
  async destroy(): Promise<void> {
    this.#retired = true;
    this.#process.kill();
    await this.#exited;
  }

  /** The label of a component of this process. */
  labelOf(component: number): string | undefined {
    return this.#residents.get(component)?.label;
  }

  /** Joins two components of this process by a channel. */
  connect(component: number, peer: number): void {
    this.#tell({ command: 'connect', component, peer });
  }

  /**
   * Joins a component of this process to one of the process that the link leads to, or to one on
   * another machine by way of that process.
   */
  join(component: number, peer: number, way: JoinWay): void {
    this.#tell({ command: 'join', component, peer, ...way });
  }

  /** Hands a socket to the process; it is closed here. */
  addLink(link: number, socket: Socket, proof: LinkProof): void {
    const [own, expected] = [proof.own, proof.expected].map((bytes) => Buffer.from(bytes).toString('base64'));
    this.#process.send({ link, own, expected }, socket);
  }

  #supervisorCarrier(id: number, resident: Resident): Carrier {
    return {
      sharing: SHARES_NONE,
      send: (frame) => {
        this.#link.send(id, new Uint8Array(frame));
        return false;
      },
      receive: (handler) => {
        resident.receive = (frame) => handler(frame, []);
        for (const frame of resident.early.splice(0)) resident.receive(frame);
      },
      // The supervisor learns of the end of a component by `ended`, which comes with the reason.
      closed: () => {},
      close: () => {
        resident.receive = () => {};
      },
    };
  }

  #receive(channel: number, payload: Uint8Array): void {
    if (this.#broken) return;
    if (channel === CONTROL_CHANNEL) return this.#hear(payload);
    const resident = this.#residents.get(channel);
    // An empty frame says that the component's port is closed. Its end comes as an event.
    if (payload.byteLength === 0) return;
    if (resident?.receive) resident.receive(payload);
    else resident?.early.push(payload);
  }

  #hear(payload: Uint8Array): void {
    let event: DomainEvent;
    try {
      event = parseControl(domainEvent, 'event', payload);
    } catch (error) {
      // Component code must have got at the process itself. The process is ended, and ginit goes
      // on.
      this.#broken = true;
      this.#observer.complaint(
        this.#name,
        `is ended, it said nonsense: ${String(error).slice(0, NONSENSE_CHARACTERS)}`,
      );
      this.#process.kill();
      return;
    }
    this.#obey(event);
  }

  #obey(event: DomainEvent): void {
    if (event.event === 'revoked') return this.shared?.revoked(event.serial, event.processes);
    if (event.event === 'memoryArrived') return this.shared?.arrived(event.process, event.serial);
    const resident = this.#residents.get(event.component);
    if (!resident) return;
    switch (event.event) {
      case 'started':
        resident.threadId = event.threadId;
        return;
      case 'jailed':
        return this.#runIfJailed(event.component, resident);
      case 'ending':
        for (const tell of resident.ending) tell();
        return;
      case 'output':
        return this.#observer.output(resident.label, event.line);
      case 'used':
        return resident.audit?.add(event.use);
      case 'lack':
        return this.#lack(resident.label, event.text);
      case 'overrun':
        return this.#lack(resident.label, `ends its channel with ${event.peerName}, ${OVERRUN}`);
      case 'ended':
        this.#residents.delete(event.component);
        this.shared?.removeComponent(event.component);
        if (this.#residents.size === 0) void this.destroy();
        resident.ended({ crashed: event.crashed, reason: event.reason, culprit: true });
        for (const wake of resident.gone) wake();
        return;
    }
  }

  /** Tells a lack once, however many components of the process have it. */
  #lack(label: string, text: string): void {
    if (this.#lacks.has(text) || this.#lacks.size >= LACKS_MAX) return;
    this.#lacks.add(text);
    this.#observer.lack(label, text);
  }

  /** The process says that it has locked itself up. It is not believed: the kernel is asked. */
  #runIfJailed(component: number, resident: Resident): void {
    const missing =
      this.pid === undefined ? 'it has no process' : missingOutside(this.pid, this.#filtersAtBirth);
    if (missing === undefined) return this.#tell({ command: 'run', component });
    void this.#destroyWith(component, resident);
    resident.ended({ crashed: true, reason: `cannot be jailed: ${missing}`, culprit: true });
  }

  /** Bounded, because code in the process may write without end and never end a line. */
  #listenTo(stream: Readable): void {
    const cutter = new LineCutter((text) => {
      for (const line of linesOf(text)) this.#words.line(line);
    });
    stream.on('data', (chunk: Uint8Array) => cutter.write(chunk));
    stream.on('end', () => cutter.end());
  }

  /** If there is no process, this is the reason that each of its components is given. */
  #failed(reason: string): void {
    if (this.pid === undefined) this.#failure = reason;
    else this.#observer.complaint(this.#name, reason);
  }

  /** The process is gone, and all its components with it. */
  #end(code: number | null, signal: NodeJS.Signals | null): void {
    this.#retired = true;
    const residents = [...this.#residents.values()];
    this.#residents.clear();
    this.shared?.end();
    this.#observer.ended(this);
    const report = this.#words.end(code, signal);
    const culprit = residents.find(({ threadId }) => threadId !== undefined && threadId === report?.threadId);
    // Where several components live together, a report that names none of them blames nobody.
    const believed = culprit !== undefined || residents.length === 1 ? report : undefined;
    const { saidNoMemory } = this.#words;
    const reason =
      believed?.reason ??
      this.#failure ??
      describeEnd(code, signal, { bounded: this.#bounded, saidNoMemory });
    for (const resident of residents) {
      const own = culprit === undefined || culprit === resident;
      const why = own ? reason : `its process "${this.#name}" was brought down by [${culprit.label}]`;
      resident.ended({ crashed: true, reason: why, culprit: own });
      for (const wake of resident.gone) wake();
    }
  }

  #tell(command: DomainCommand): void {
    this.#link.sendControl(command);
  }
}
