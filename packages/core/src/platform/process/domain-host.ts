/** The components of a domain process, and the relays between their ports and the links to other processes. */
import type { Socket } from 'node:net';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { WorkerInput, WorkerMessage } from '../thread/component-main.ts';
import { describeCrash } from './crash-reason.ts';
import type { DomainEvent, StartCommand } from './domain-protocol.ts';
import { Link, type LinkProof } from './link.ts';
import { RelayTable } from './relay-table.ts';

const COMPONENT_MAIN = new URL('../thread/component-main.js', import.meta.url);
const MIB = 1024 * 1024;

interface RunningComponent {
  readonly worker: Worker;
  readonly corePort: MessagePort;
  /** Why it ends, once that is known. */
  crash: string | undefined;
  killed: boolean;
}

/** A join command, as the host needs it. */
interface JoinRequest {
  readonly component: number;
  readonly peer: number;
  readonly link: number;
  readonly channel: number;
}

/** What a domain process runs. */
export class DomainHost {
  readonly #up: Link;
  readonly #components = new Map<number, RunningComponent>();
  readonly #coreRelays: RelayTable;
  readonly #links = new Map<number, { link: Link; relays: RelayTable }>();
  readonly #joinsWaiting: JoinRequest[] = [];

  constructor(up: Link) {
    this.#up = up;
    this.#coreRelays = new RelayTable(up);
  }

  /** Starts a component in a thread of its own. */
  start(command: StartCommand): void {
    const { component, label, moduleUrl, heapBytes, grants } = command;
    const { port1, port2 } = new MessageChannel();
    const workerData: WorkerInput = { moduleUrl, corePort: port2, grants };
    const worker = new Worker(COMPONENT_MAIN, {
      workerData,
      transferList: [port2],
      name: label,
      env: {},
      stdout: true,
      stderr: true,
      execArgv: [],
      ...(heapBytes === undefined
        ? {}
        : { resourceLimits: { maxOldGenerationSizeMb: Math.ceil(heapBytes / MIB) } }),
    });
    const running: RunningComponent = { worker, corePort: port1, crash: undefined, killed: false };
    this.#components.set(component, running);
    this.#coreRelays.add(component, port1);
    this.#watch(component, running);
    this.#tell({ event: 'started', component, threadId: worker.threadId });
  }

  /** Ends a component at once. */
  kill(component: number): void {
    const running = this.#components.get(component);
    if (!running) return;
    running.killed = true;
    void running.worker.terminate();
  }

  /** Joins two components of this process: memory travels between them. */
  connect(first: number, second: number): void {
    const { port1, port2 } = new MessageChannel();
    this.#handOver(first, { peer: second, port: port1, sharesMemory: true });
    this.#handOver(second, { peer: first, port: port2, sharesMemory: true });
  }

  /** Joins a component of this process to one of another process. */
  join(request: JoinRequest): void {
    const target = this.#links.get(request.link);
    if (!target) {
      this.#joinsWaiting.push(request);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    target.relays.add(request.channel, port1);
    this.#handOver(request.component, { peer: request.peer, port: port2, sharesMemory: false });
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

  /** A frame from core for one of our components. */
  deliver(component: number, payload: Uint8Array): void {
    this.#coreRelays.deliver(component, payload);
  }

  #handOver(component: number, message: WorkerMessage): void {
    const running = this.#components.get(component);
    if (running) running.worker.postMessage(message, [message.port]);
    else message.port.close();
  }

  #watch(component: number, running: RunningComponent): void {
    const { worker } = running;
    for (const stream of [worker.stdout, worker.stderr]) this.#forwardOutput(component, stream);
    worker.on('error', (error: unknown) => {
      running.crash = describeCrash(error);
    });
    worker.on('exit', (code) => {
      this.#components.delete(component);
      running.corePort.close();
      const crashed = !running.killed;
      const reason = running.crash ?? (crashed ? `ended its thread with process.exit(${code})` : 'killed');
      this.#tell({ event: 'ended', component, crashed, reason });
    });
  }

  #forwardOutput(component: number, stream: NodeJS.ReadableStream): void {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = (lines.pop() ?? '').slice(-65_536);
      for (const line of lines) {
        if (!this.#up.congested) this.#tell({ event: 'output', component, line: line.slice(0, 65_536) });
      }
    });
  }

  #tell(event: DomainEvent): void {
    this.#up.sendControl(event);
  }
}
