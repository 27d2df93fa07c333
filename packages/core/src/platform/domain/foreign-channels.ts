/**
 * Everything that a domain process shares with other processes: the memory of channels, the sockets
 * by which further memory travels beside their frames, and the doorbells of both sides. It is kept
 * here and not by the threads that use it, and given back when a channel, a component or a process
 * has ended.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { closeDescriptor, DescriptorSocket, mapMemory, type Region } from 'sharedarraybuffer-polyfill';
import { assert, unreachable } from '../../errors.ts';
import { newPlace, type Place, wordsAt } from '../../memory/place.ts';
import { CHANNEL_BYTES, type ChannelEnd, markClosed } from '../wire/channel-memory.ts';
import { Bell } from '../wire/doorbell.ts';
import type { KeeperAnswers, KeeperLine, KeeperNotice, KeeperRequest } from '../wire/memory-protocol.ts';
import type { ForeignMessage } from '../wire/worker-protocol.ts';
import { Arrivals } from './keeper/arrivals.ts';
import type { ShareCommand } from '../wire/domain-protocol.ts';
import { censusPlace, DOORBELLS_BYTES, doorbellPlace } from '../wire/doorbells.ts';
import { KeeperCollector } from './keeper/keeper-collector.ts';
import { type KeeperReports, MemoryKeeper } from './keeper/memory-keeper.ts';
import type { MemoryLabel } from './keeper/memory-label.ts';
import type { Supplies } from '../wire/supplies.ts';

interface ForeignChannel {
  readonly component: number;
  readonly end: ChannelEnd;
  readonly memory: Region;
  readonly socket: DescriptorSocket;
  readonly arrivals: Arrivals;
  readonly peerProcess: number;
  readonly peerSlot: number;
  readonly peerBell: Bell;
}

interface ForeignProcess {
  readonly doorbells: Region;
  channels: number;
  gone: boolean;
}

/** Whether a message needs no answer. */
function isNotice(message: KeeperRequest | KeeperNotice): message is KeeperNotice {
  switch (message.kind) {
    case 'create':
    case 'free':
    case 'hold':
    case 'send':
    case 'receive':
      return false;
    default:
      return true;
  }
}

function placeOf({ buffer, byteOffset, byteLength }: Region): Place {
  return { buffer, byteOffset, byteLength };
}

/** Maps memory that the supervisor has supplied, and closes its descriptor. */
function mapSupply(descriptor: number, sizeBytes: number): Region {
  try {
    return mapMemory(descriptor, sizeBytes);
  } finally {
    closeDescriptor(descriptor);
  }
}

/** The channels that lead to other processes by shared memory. */
export class ForeignChannels {
  /** The doorbells of this process. */
  readonly doorbells: Place;
  readonly #supplies: Supplies;
  readonly #keeper: MemoryKeeper;
  /** The ports on which components ask the keeper. */
  readonly #ports = new Map<number, MessagePort>();
  readonly #channels = new Map<number, ForeignChannel>();
  readonly #processes = new Map<number, ForeignProcess>();

  constructor(supplies: Supplies, ownNumber: number, reports: Omit<KeeperReports, 'forgotten'>) {
    this.#supplies = supplies;
    const collector = new KeeperCollector();
    this.#keeper = new MemoryKeeper(ownNumber, { ...reports, forgotten: () => collector.forgotten() });
    const descriptor = supplies.take({ kind: 'doorbells', number: ownNumber });
    this.doorbells = placeOf(mapSupply(descriptor, DOORBELLS_BYTES));
  }

  /** Takes a new channel into use. The result goes to the component's thread. */
  open(command: ShareCommand): ForeignMessage {
    const { component, peer, channel, slot, peerSlot, peerProcess, peerDoorbell } = command;
    const end = command.end === 0 ? 0 : 1;
    const process = this.#process(peerProcess);
    process.channels++;
    const memory = mapSupply(this.#supplies.take({ kind: 'memory', number: channel }), CHANNEL_BYTES);
    const socket = DescriptorSocket.adopt(this.#supplies.take({ kind: 'socket', number: channel }));
    const census = censusPlace(process.doorbells);
    const doorbell = doorbellPlace(process.doorbells, peerDoorbell);
    const peerBell = new Bell(doorbell, census, true);
    const arrivals = new Arrivals(socket, peerProcess);
    this.#channels.set(channel, {
      component,
      end,
      memory,
      socket,
      arrivals,
      peerProcess,
      peerSlot,
      peerBell,
    });
    const ring = { end, memory: placeOf(memory), peerSlot } as const;
    const places = { peerDoorbell: doorbell, peerCensus: census };
    return { kind: 'foreign', peer, slot, channel, ring, peerProcess, ...places };
  }

  /**
   * The component that a channel is for has ended already; the supervisor tells its peer. The
   * descriptors of the channel are closed.
   */
  refuse({ channel, peerProcess }: ShareCommand): void {
    this.#process(peerProcess);
    this.#supplies.discard({ kind: 'memory', number: channel });
    this.#supplies.discard({ kind: 'socket', number: channel });
  }

  /** A process takes back memory that it has made. */
  revoke(process: number, serial: number): void {
    this.#revokeArrivals(process, (label) => label.process === process && label.serial === serial);
    this.#keeper.revoke({ process, serial });
  }

  /** Memory that this process has made was passed on to `process` by a third one. */
  arrivedAt(process: number, serial: number): void {
    this.#keeper.arrivedAt(process, serial);
  }

  /** A process has ended, and all memory that it has made is taken back. */
  forget(number: number): void {
    this.#revokeArrivals(number, (label) => label.process === number);
    this.#keeper.processEnded(number);
    this.#forgetDoorbells(number);
  }

  #forgetDoorbells(number: number): void {
    const process = this.#processes.get(number);
    if (!process) return this.#supplies.discard({ kind: 'doorbells', number });
    process.gone = true;
    this.#forgetUnused(number, process);
  }

  /** The thread of a component has ended. */
  ended(component: number): void {
    this.#hearLast(component);
    for (const [number, channel] of this.#channels) {
      if (channel.component !== component) continue;
      markClosed(placeOf(channel.memory), channel.end);
      channel.peerBell.ringSurely(channel.peerSlot);
      this.#close(number);
    }
    this.#keeper.ended(component);
  }

  /**
   * Answers the requests of a component's thread. `pinning` says that the host reads and writes
   * memory for the component.
   */
  serve(component: number, port: MessagePort, pinning: boolean): Omit<KeeperLine, 'port'> {
    const answers = newPlace(4);
    const words = wordsAt(answers);
    this.#ports.set(component, port);
    port.on('message', (message: KeeperRequest | KeeperNotice) => {
      if (isNotice(message)) return this.#hear(component, message);
      port.postMessage(this.#answer(component, message));
      Atomics.add(words, 0, 1);
      Atomics.notify(words, 0);
    });
    return { answers, pins: pinning ? this.#keeper.addPins(component) : undefined };
  }

  /**
   * Takes the notices that a thread has sent before it ended, about memory that others have of it.
   */
  #hearLast(component: number): void {
    const port = this.#ports.get(component);
    this.#ports.delete(component);
    for (let last = port && receiveMessageOnPort(port); last; last = port && receiveMessageOnPort(port)) {
      // The end of the port in the thread belongs to our own code, so the message has this type.
      const message = last.message as KeeperRequest | KeeperNotice;
      if (isNotice(message)) this.#hear(component, message);
    }
  }

  #hear(component: number, notice: KeeperNotice): void {
    switch (notice.kind) {
      case 'drop':
        return this.#keeper.drop(component, notice.file);
      case 'mapped':
        return this.#keeper.mapped(component, notice.file, notice.buffer);
      case 'unmapped':
        return this.#keeper.unmapped(component, notice.file);
      case 'lent':
        return this.#keeper.lent(component, notice.file);
      case 'detach':
        return this.#keeper.detach(component, notice.file);
      case 'unpinned':
        return this.#keeper.unpinned(notice.file);
      case 'closed':
        return this.#close(notice.channel);
      default:
        return unreachable(notice);
    }
  }

  #answer(component: number, request: KeeperRequest): KeeperAnswers[KeeperRequest['kind']] {
    if (request.kind === 'create') return this.#keeper.create(component, request.sizeBytes, request.once);
    if (request.kind === 'hold') return this.#keeper.hold(component, request.file);
    if (request.kind === 'free') return this.#keeper.free(component, request.file);
    const channel = this.#channels.get(request.channel);
    assert(channel?.component === component, 'a thread uses its own channels, while they are open');
    if (request.kind === 'receive') return this.#keeper.receive(component, channel.arrivals);
    return this.#keeper.send(component, channel, request.files, request.from);
  }

  /** Takes back memory that is still on its way from a process, whose frame nobody has met yet. */
  #revokeArrivals(process: number, matches: (label: MemoryLabel) => boolean): void {
    for (const { peerProcess, arrivals } of this.#channels.values()) {
      if (peerProcess === process) arrivals.revoke(matches);
    }
  }

  #process(number: number): ForeignProcess {
    const known = this.#processes.get(number);
    if (known) return known;
    const descriptor = this.#supplies.take({ kind: 'doorbells', number });
    const made = { doorbells: mapSupply(descriptor, DOORBELLS_BYTES), channels: 0, gone: false };
    this.#processes.set(number, made);
    return made;
  }

  #close(number: number): void {
    const channel = this.#channels.get(number);
    if (!channel) return;
    this.#channels.delete(number);
    channel.arrivals.close();
    channel.memory.unmap();
    const process = this.#processes.get(channel.peerProcess);
    assert(process !== undefined, 'a process is known while there are channels to it');
    process.channels--;
    this.#forgetUnused(channel.peerProcess, process);
  }

  #forgetUnused(number: number, process: ForeignProcess): void {
    if (!process.gone || process.channels > 0) return;
    this.#processes.delete(number);
    process.doorbells.unmap();
  }
}
