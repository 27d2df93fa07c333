/**
 * A Block session as its client sees it. It passes requests to the device that they are for, and
 * their acknowledgements, too.
 */
import { type Packet } from '@ginit/core/packet-stream';
import { BLOCK_OPERATION, BLOCK_STATUS } from '@ginit/core/block';
import { type SourceWatch } from '@ginit/core/platform';
import type { BlockRange, CheckedDevice, CheckedRequest, IllegalRead } from './checked-device.ts';

/** The largest number of blocks of a TRIM or WRITE_ZEROES that are handled one by one. */
const TRIM_MAX = 65_536;

/** The statuses of requests that the device itself has failed. */
const FAILURES: readonly number[] = [BLOCK_STATUS.inputOutput, BLOCK_STATUS.noSpace, BLOCK_STATUS.gone];
/** The operations that change blocks. */
const CHANGES: readonly number[] = [BLOCK_OPERATION.write, BLOCK_OPERATION.trim, BLOCK_OPERATION.writeZeroes];

/** The services of the whole check that a session needs. */
export interface SessionHost {
  /** Returns the number of the next event. */
  event(): number;
  nowUs(): number;
  /**
   * Reports that the check itself has failed, which is not the fault of the component that runs at
   * that moment.
   */
  failed(error: unknown): void;
  /** Reports a read that returned an illegal content. */
  illegal(session: ClientSession, read: IllegalRead): void;
}

/**
 * The device and the view that a session leads to: block 0 of the session is the first of the view.
 */
export interface SessionTarget {
  readonly device: CheckedDevice;
  readonly view: BlockRange;
}

interface UnderWay {
  readonly operation: number;
  readonly request: CheckedRequest;
}

/** One session. */
export class ClientSession implements SourceWatch {
  /** The component id and the label of the client. */
  readonly client: number;
  readonly clientLabel: string;
  /** The label that the client gave the session. */
  readonly label: string;
  readonly #find: () => SessionTarget;
  readonly #host: SessionHost;
  readonly #underWay = new Map<number, UnderWay>();
  #target: SessionTarget | undefined;

  /** `find` is called once, at the first request: the server has told of the session by then. */
  constructor(
    client: { readonly id: number; readonly label: string; readonly sessionLabel: string },
    find: () => SessionTarget,
    host: SessionHost,
  ) {
    this.client = client.id;
    this.clientLabel = client.label;
    this.label = client.sessionLabel;
    this.#find = find;
    this.#host = host;
  }

  get target(): SessionTarget {
    this.#target ??= this.#find();
    return this.#target;
  }

  submitted(packet: Packet, payload: Uint8Array): void {
    try {
      const request = this.#begin(packet, payload);
      if (request) this.#underWay.set(packet.tag, { operation: packet.operation, request });
    } catch (error) {
      this.#host.failed(error);
    }
  }

  acknowledged(packet: Packet, payload: Uint8Array): void {
    try {
      this.#end(packet, payload);
    } catch (error) {
      this.#host.failed(error);
    }
  }

  #end(packet: Packet, payload: Uint8Array): void {
    const found = this.#underWay.get(packet.tag);
    if (!found) return;
    this.#underWay.delete(packet.tag);
    const { operation, request } = found;
    const { device } = this.target;
    const done = packet.status === BLOCK_STATUS.ok;
    const now = this.#host.event();
    if (FAILURES.includes(packet.status)) {
      device.failures.add(this.clientLabel);
    }
    switch (operation) {
      case BLOCK_OPERATION.read: {
        if (!done) return device.dropRead(request);
        const illegal = device.endRead(request, payload, now);
        if (illegal) this.#host.illegal(this, illegal);
        return;
      }
      case BLOCK_OPERATION.sync:
        if (done) device.synced(request.begun);
        return;
      default:
        device.endWrite(request, done, now);
    }
  }

  /**
   * Ends the client's side: no acknowledgement comes any more, but requests under way may still be
   * carried out.
   */
  closed(): void {
    for (const [tag, { operation, request }] of this.#underWay) {
      if (CHANGES.includes(operation)) continue;
      this.#underWay.delete(tag);
      this.target.device.dropRead(request);
    }
  }

  /** Ends the server's side: nothing more is carried out. */
  done(): void {
    this.closed();
    for (const { request } of this.#underWay.values()) {
      this.target.device.endWrite(request, false, this.#host.event());
    }
    this.#underWay.clear();
  }

  #begin(packet: Packet, payload: Uint8Array): CheckedRequest | undefined {
    const { operation, position, count, size } = packet;
    const { device, view } = this.target;
    const now = this.#host.event();
    if (operation === BLOCK_OPERATION.sync) return { begun: now, first: 0, count: 0, versions: [] };
    // Every server refuses such a request, so it changes nothing.
    if (count < 1 || count > Number.MAX_SAFE_INTEGER - position) return undefined;
    const first = view.first + position;
    const range = { first, count, content: undefined };
    if (operation === BLOCK_OPERATION.trim || operation === BLOCK_OPERATION.writeZeroes) {
      device.writesThrough(view, this.clientLabel);
      if (count > TRIM_MAX) {
        device.undefine(first, count);
        return undefined;
      }
      const content = operation === BLOCK_OPERATION.writeZeroes ? 'zeros' : undefined;
      return device.beginWrite({ ...range, content }, this.clientLabel, now, this.#host.nowUs());
    }
    if (size % count !== 0 || size === 0 || !device.fits(size / count)) return undefined;
    if (operation === BLOCK_OPERATION.read) return device.beginRead(first, count, now);
    if (operation !== BLOCK_OPERATION.write) return undefined;
    device.writesThrough(view, this.clientLabel);
    return device.beginWrite({ ...range, content: payload }, this.clientLabel, now, this.#host.nowUs());
  }
}
