/**
 * What a domain process shares with others: the memory of the channels between its components and theirs, the sockets by
 * which more memory goes beside their frames, and the doorbells on both sides. All of it is kept here, not by the threads
 * that use it, and given back when a channel, a component or a process has ended.
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

/** What is said, rather than asked. */
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

/** Maps a supply; its descriptor is not needed after that. */
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
  /** What components ask of the keeper comes by these. */
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

  /** Takes a new channel; the result is for the component's thread. */
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

  /** The component that a channel is for has ended already: core tells its peer. */
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

  /** Memory of this process has come to another one by way of a third. */
  arrivedAt(process: number, serial: number): void {
    this.#keeper.arrivedAt(process, serial);
  }

  /** A process has ended, and all memory that it has made goes. */
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

  /** Answers what the thread of a component asks; `pinning` if the host reads and writes for it. */
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

  /** What a thread that has ended has still said about memory that others have of it. */
  #hearLast(component: number): void {
    const port = this.#ports.get(component);
    this.#ports.delete(component);
    for (let last = port && receiveMessageOnPort(port); last; last = port && receiveMessageOnPort(port)) {
      // The thread's end is our own code: what it says has this type.
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

  /** What is on its way from a process, and is taken back before anybody has met its frame. */
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
