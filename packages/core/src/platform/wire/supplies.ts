/**
 * Descriptors that the supervisor gives to a domain process, over a socket of their own. Each has a
 * tag that says what it is, and is there before the command that needs it.
 */
import { closeDescriptor, DescriptorSocket } from 'sharedarraybuffer-polyfill';
import { assert } from '../../errors.ts';
import { oneOf, record, type ShapeType, u32 } from '../../interface/shapes.ts';

/**
 * The doorbells of a process (by its number), or the memory or the socket of a channel (by its
 * number).
 */
const supplyTag = record({ kind: oneOf(['doorbells', 'memory', 'socket']), number: u32 });
export type SupplyTag = ShapeType<typeof supplyTag>;

/** The bytes of a tag that travel with a descriptor. */
export function supplyLabel(tag: SupplyTag): Uint8Array {
  return Buffer.from(JSON.stringify(tag));
}

const keyOf = ({ kind, number }: SupplyTag): string => `${kind} ${number}`;

/** The descriptors that have come and were not taken yet. */
export class Supplies {
  readonly #socket: DescriptorSocket;
  readonly #there = new Map<string, number>();

  constructor(descriptor: number) {
    this.#socket = DescriptorSocket.adopt(descriptor);
  }

  /** The descriptor of a supply, if it has come. From now on it belongs to the caller. */
  find(tag: SupplyTag): number | undefined {
    for (let next = this.#socket.receive(); next; next = this.#socket.receive()) {
      const supplied = supplyTag(JSON.parse(Buffer.from(next.tag).toString('utf8')), 'supply');
      this.#there.set(keyOf(supplied), next.fd);
    }
    const found = this.#there.get(keyOf(tag));
    this.#there.delete(keyOf(tag));
    return found;
  }

  /** As `find`, for a supply that must have come. */
  take(tag: SupplyTag): number {
    const found = this.find(tag);
    assert(found !== undefined, `the supervisor sends ${keyOf(tag)} before its command`);
    return found;
  }

  /** The supply is not needed after all, and is closed. */
  discard(tag: SupplyTag): void {
    const found = this.find(tag);
    if (found !== undefined) closeDescriptor(found);
  }
}
