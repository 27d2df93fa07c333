/**
 * Checks every Block session of a simulated system, whoever provides it: every read must return
 * something that was written, in an order that the session interface allows, and everything that a
 * SYNC has acknowledged must survive.
 *
 * The check watches the client's end of each packet stream. The server's end tells which device a
 * session leads to, and where in it (`serveBlock`); so views, mediators and several clients of one
 * device are put together. If a server does not tell, each of its sessions counts as a device of
 * its own, and as the same one when the same client opens the same session again.
 *
 * There are no false alarms. A device that may have been changed without its clients' knowledge, or
 * that is built on a component that has failed or lies, is excused (`Standings`).
 */
import type { SessionWatch, SinkWatch, SourceWatch, StreamPlace, WatchedSession } from '@ginit/core/platform';
import type { Version } from './block-history.ts';
import { CheckedDevice, type IllegalRead } from './checked-device.ts';
import { ClientSession, type SessionHost, type SessionTarget } from './client-session.ts';
import { ANYTHING, UNKNOWN } from './content-hash.ts';
import { Standings } from './standings.ts';

const BLOCK = 'Block';
/**
 * A simulated disk writes a sector of this size as a whole; a larger block may be written in part.
 */
const SECTOR_BYTES = 512;
/**
 * The largest number of legal contents that are listed, and of bytes that are shown of a block that
 * was read.
 */
const LISTED_MAX = 4;
const SHOWN_BYTES = 16;

/** The services of the system that the check needs. */
export interface BlockCheckWorld {
  nowUs(): number;
  labelOf(component: number): string;
  /**
   * Files of the host that a live component has opened, the same for each instance of a start node.
   */
  filesOf(component: number): ReadonlySet<string>;
  /** Reports that a property does not hold. */
  violated(text: string): void;
  /** Reports that the check itself has failed. */
  failed(error: unknown): void;
}

/** A stream, with what its server has told of it. */
interface Served {
  readonly server: number;
  target: SessionTarget | undefined;
  session: ClientSession | undefined;
}

/** One instance of a server. */
interface Server {
  readonly label: string;
  /** The devices that the server serves, in the order in which it has told of them. */
  readonly devices: Map<object, CheckedDevice>;
}

/** The Block sessions of one system. */
export class BlockCheck {
  readonly #world: BlockCheckWorld;
  readonly #standings: Standings;
  readonly #streams = new Map<string, Served>();
  readonly #servers = new Map<number, Server>();
  /**
   * Devices that outlast the end of their server, by its label. A server has an entry only as long
   * as it has no more than one device.
   */
  readonly #lasting = new Map<string, CheckedDevice>();
  /** Devices of sessions that no server has told of. */
  readonly #unnamed = new Map<string, { readonly server: string; readonly device: CheckedDevice }>();
  readonly #sessions = new Map<number, Set<ClientSession>>();
  readonly #host: SessionHost;
  #events = 0;

  constructor(world: BlockCheckWorld) {
    this.#world = world;
    this.#standings = new Standings();
    this.#host = {
      event: () => ++this.#events,
      nowUs: () => world.nowUs(),
      failed: (error) => world.failed(error),
      illegal: (session, read) => this.#illegal(session, read),
    };
  }

  /** Watches the sessions of a component. */
  watchOf(component: number): SessionWatch {
    return {
      opened: (session, place) => this.#opened(component, session, place),
      served: (service, place) => (service === BLOCK ? this.#served(component, place) : undefined),
    };
  }

  /** Notes that a component is gone. */
  ended(component: number): void {
    const label = this.#world.labelOf(component);
    for (const session of this.#sessions.get(component) ?? []) session.closed();
    this.#sessions.delete(component);
    const server = this.#servers.get(component);
    this.#servers.delete(component);
    const stable = this.#standings.isStable(label);
    if (!stable || (server && server.devices.size !== 1)) {
      this.#lasting.delete(label);
      for (const device of server?.devices.values() ?? []) this.#standings.disowns(label, device);
    }
    if (stable) this.#uncertain(label, () => false);
    else this.#forget(label);
    for (const [key, stream] of this.#streams) {
      if (stream.server === component || stream.session?.client === component) this.#streams.delete(key);
    }
  }

  /** Notes that the power of a disk is gone; with `torn`, sectors may be half written. */
  powerCut(file: string, torn: boolean): void {
    for (const label of this.#standings.on(file)) {
      this.#uncertain(label, ({ blockBytes }) => torn || blockBytes !== SECTOR_BYTES);
    }
  }

  /**
   * Notes that a disk has been made to do what no disk may do. Devices that are built on it are not
   * checked any more.
   */
  lies(file: string): void {
    this.#standings.lies(file);
  }

  /**
   * Notes that a server, or something below it, has ended: writes that were not synced may be gone
   * from its devices and from those above.
   */
  #uncertain(label: string, mixed: (device: CheckedDevice) => boolean): void {
    const above = this.#standings.above(label);
    for (const [owner, device] of this.#allDevices()) {
      if (owner !== label && !above.has(owner)) continue;
      device.serverEnded(++this.#events, owner === label, mixed(device));
    }
  }

  *#allDevices(): Iterable<[label: string, device: CheckedDevice]> {
    const seen = new Set<CheckedDevice>();
    yield* this.#lasting;
    for (const device of this.#lasting.values()) seen.add(device);
    for (const { label, devices } of this.#servers.values()) {
      for (const device of devices.values()) if (!seen.has(device)) yield [label, device];
    }
    for (const { server, device } of this.#unnamed.values()) yield [server, device];
  }

  /**
   * Forgets the devices of a server whose devices end with it, and the contents of the devices
   * above them.
   */
  #forget(label: string): void {
    for (const [key, { server, device }] of this.#unnamed) {
      if (server !== label) continue;
      this.#unnamed.delete(key);
      this.#standings.disowns(label, device);
    }
    const above = this.#standings.above(label);
    for (const [owner, device] of this.#allDevices()) if (above.has(owner)) device.forget();
  }

  #opened(client: number, session: WatchedSession, place: StreamPlace): SourceWatch | undefined {
    const label = this.#world.labelOf(client);
    if (session.service !== BLOCK) {
      this.#standings.usesOther(label);
      return undefined;
    }
    const server = this.#world.labelOf(place.peer);
    const stream = this.#streams.get(keyOf(place.peer, client, place.number));
    const find = (): SessionTarget => stream?.target ?? this.#unnamedTarget(label, server, session);
    const who = { id: client, label, sessionLabel: session.label };
    const found = new ClientSession(who, find, this.#host);
    if (stream) stream.session = found;
    const sessions = this.#sessions.get(client) ?? new Set();
    this.#sessions.set(client, sessions.add(found));
    this.#standings.uses(label, server, stream?.target);
    return found;
  }

  #served(server: number, place: StreamPlace): SinkWatch {
    const key = keyOf(server, place.peer, place.number);
    const stream: Served = { server, target: undefined, session: undefined };
    this.#streams.set(key, stream);
    return {
      serves: (object, view) => {
        const device = this.#deviceOf(server, object);
        device.fits(view.blockBytes);
        stream.target = { device, view };
      },
      done: () => {
        const { session } = stream;
        session?.done();
        if (session) this.#sessions.get(session.client)?.delete(session);
        this.#streams.delete(key);
      },
    };
  }

  /** The device behind a server's own object for it. */
  #deviceOf(component: number, object: object): CheckedDevice {
    const label = this.#world.labelOf(component);
    const server: Server = this.#servers.get(component) ?? { label, devices: new Map() };
    this.#servers.set(component, server);
    const known = server.devices.get(object);
    if (known) return known;
    this.#standings.setFiles(label, this.#world.filesOf(component));
    const first = server.devices.size === 0;
    // With several devices, nobody knows which of the old ones each of the new ones is.
    if (!first || this.#standings.hasMoved(label)) this.#lasting.delete(label);
    const lasting = first ? this.#lasting.get(label) : undefined;
    const device = lasting ?? new CheckedDevice(label);
    device.stable = this.#standings.isStable(label);
    server.devices.set(object, device);
    if (first) this.#lasting.set(label, device);
    this.#standings.owns(label, device);
    return device;
  }

  #unnamedTarget(client: string, server: string, { label, args }: WatchedSession): SessionTarget {
    const key = JSON.stringify([server, client, label, args]);
    const known = this.#unnamed.get(key);
    const view = { first: 0, count: Number.MAX_SAFE_INTEGER };
    if (known) return { device: known.device, view };
    const device = new CheckedDevice(server);
    device.stable = this.#standings.isStable(server);
    this.#unnamed.set(key, { server, device });
    this.#standings.owns(server, device);
    return { device, view };
  }

  #illegal(session: ClientSession, read: IllegalRead): void {
    const { device, view } = session.target;
    if (this.#standings.excused(device)) return device.excuse(read.block);
    const who = `[${session.clientLabel}] reads block ${read.block - view.first} of its Block session`;
    const place = view.first > 0 ? ` (block ${read.block} of the device)` : '';
    const where = `"${session.label}" with [${device.name}]${place}`;
    this.#world.violated(`${who} ${where} and gets what cannot be there; ${describeRead(read)}`);
  }
}

function keyOf(server: number, client: number, number: number): string {
  return `${server}>${client}#${number}`;
}

function describeRead({ content, bytes, begun, versions, past }: IllegalRead): string {
  const start = Array.from(bytes.subarray(0, SHOWN_BYTES), (byte) => byte.toString(16).padStart(2, '0'));
  const got = `it gets ${hex(content)} (${start.join(' ')} …)`;
  const old = [...past, ...versions].findLast((version) => version.content === content);
  const what = old ? `, which ${originOf(old)}` : ', which nobody has written there';
  const legal = versions.filter(({ replacedAt }) => replacedAt > begun);
  const listed = legal
    .slice(-LISTED_MAX)
    .map((version) => `${hex(version.content)}, which ${originOf(version)}`);
  return `${got}${what}; legal would be ${listed.join('; or ')}`;
}

function originOf({ by, atUs, buried, sure }: Version): string {
  if (by === '') return 'was there before';
  const how = sure ? 'wrote' : 'may have written';
  return `[${by}] ${how} at ${(atUs / 1e6).toFixed(6)}${buried ? ', before a SYNC' : ''}`;
}

function hex(content: number): string {
  if (content === UNKNOWN || content === ANYTHING) return 'anything';
  return content.toString(16).padStart(14, '0').slice(0, 8);
}
