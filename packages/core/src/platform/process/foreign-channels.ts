/**
 * What a domain process shares with others: the memory of the channels between its components and theirs, the sockets by
 * which more memory goes beside their frames, and the doorbells on both sides. All of it is kept here, not by the threads
 * that use it, and given back when a channel, a component or a process has ended.
 */
import type { MessagePort } from 'node:worker_threads';
import { closeDescriptor, DescriptorSocket, mapMemory, type Region } from 'sharedarraybuffer-polyfill';
import { assert } from '../../errors.ts';
import { newPlace, type Place, wordsAt } from '../../memory/place.ts';
import { CHANNEL_BYTES, type ChannelEnd, markClosed } from '../thread/channel-memory.ts';
import { Bell } from '../thread/doorbell.ts';
import type { KeeperAnswers, KeeperLine, KeeperNotice, KeeperRequest } from '../thread/memory-protocol.ts';
import type { ForeignMessage } from '../thread/worker-protocol.ts';
import type { ShareCommand } from './domain-protocol.ts';
import { censusPlace, DOORBELLS_BYTES, doorbellPlace } from './doorbells.ts';
import { MemoryKeeper } from './memory-keeper.ts';
import type { Supplies } from './supplies.ts';

interface ForeignChannel {
  readonly component: number;
  readonly end: ChannelEnd;
  readonly memory: Region;
  readonly socket: DescriptorSocket;
  readonly peerProcess: number;
  readonly peerSlot: number;
  readonly peerBell: Bell;
}

interface ForeignProcess {
  readonly doorbells: Region;
  channels: number;
  gone: boolean;
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
  readonly #keeper = new MemoryKeeper();
  readonly #channels = new Map<number, ForeignChannel>();
  readonly #processes = new Map<number, ForeignProcess>();

  constructor(supplies: Supplies, ownNumber: number) {
    this.#supplies = supplies;
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
    this.#channels.set(channel, { component, end, memory, socket, peerProcess, peerSlot, peerBell });
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

  /** A process has ended. */
  forget(number: number): void {
    const process = this.#processes.get(number);
    if (!process) return this.#supplies.discard({ kind: 'doorbells', number });
    process.gone = true;
    this.#forgetUnused(number, process);
  }

  /** The thread of a component has ended. */
  ended(component: number): void {
    for (const [number, channel] of this.#channels) {
      if (channel.component !== component) continue;
      markClosed(placeOf(channel.memory), channel.end);
      channel.peerBell.ringSurely(channel.peerSlot);
      this.#close(number);
    }
    this.#keeper.ended(component);
  }

  /** Answers what the thread of a component asks. */
  serve(component: number, port: MessagePort): KeeperLine['answers'] {
    const answers = newPlace(4);
    const words = wordsAt(answers);
    port.on('message', (request: KeeperRequest | KeeperNotice) => {
      if (request.kind === 'drop') return this.#keeper.drop(component, request.file);
      if (request.kind === 'closed') return this.#close(request.channel);
      port.postMessage(this.#answer(component, request));
      Atomics.add(words, 0, 1);
      Atomics.notify(words, 0);
    });
    return answers;
  }

  #answer(component: number, request: KeeperRequest): KeeperAnswers[KeeperRequest['kind']] {
    if (request.kind === 'create') return this.#keeper.create(component, request.sizeBytes);
    if (request.kind === 'hold') return this.#keeper.hold(component, request.file);
    const channel = this.#channels.get(request.channel);
    assert(channel?.component === component, 'a thread uses its own channels, while they are open');
    if (request.kind === 'receive') return this.#keeper.receive(component, channel.socket);
    return this.#keeper.send(component, channel.socket, request.files, request.from);
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
    channel.socket.close();
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
