/**
 * The client's side of sessions: asks the parent, donates what the session needs, opens its packet streams, and
 * closes it again. A server that finds the donation too small says so; then it is asked once more with more, a
 * bounded number of times (Genode's client library does it for ever).
 */
import { capabilityFor, referenceOf } from '../capability/capability.ts';
import { OPEN_OPERATION } from '../capability/open-operation.ts';
import { StreamTicket } from '../channel/stream-link.ts';
import { assert, hasCode, RpcError, SESSION_ERRORS, SessionError, toSessionErrorCode } from '../errors.ts';
import type { Capability, Session, SessionInterface } from '../interface/interface.ts';
import { isRecord } from '../interface/shapes.ts';
import { PacketSink, PacketSource, type SourceWatch, type StreamPlace } from '../packet_stream/index.ts';
import type { Parent, SessionCapability } from '../session/parent.ts';
import type { Resources } from '../session/pd.ts';
import type { ConnectOptions } from './connect-options.ts';
import type { SessionWatch } from './session-watch.ts';
import { sessionCost, streamPlans, type StreamPlan } from './session-cost.ts';

const ATTEMPTS = 32;
const MORE_RAM = 4096;
const MORE_CAPS = 4;

/** An open session that is to be handed on: nobody here uses it. */
export class SessionTicket<I extends SessionInterface> {
  readonly interface_: I;
  readonly capability: SessionCapability;
  /** For a mediator that has answered with it: called when its client's session was closed. */
  onClosed: (() => void) | undefined;

  constructor(interface_: I, capability: SessionCapability) {
    this.interface_ = interface_;
    this.capability = capability;
  }
}

interface OpenSession {
  readonly id: number;
  readonly capability: SessionCapability;
  readonly streams: { close(): void; release(): void }[];
}

/** The sessions that a component has opened. */
export class SessionClient {
  readonly #parent: Capability<typeof Parent>;
  readonly #report: (error: unknown) => void;
  readonly #watch: SessionWatch | undefined;
  readonly #open = new Map<object, OpenSession>();
  #nextId = 1;

  /** `report` takes errors of closing that nobody waits for. */
  constructor(parent: Capability<typeof Parent>, report: (error: unknown) => void, watch?: SessionWatch) {
    this.#parent = parent;
    this.#report = report;
    this.#watch = watch;
  }

  /** Numbers of the sessions that are open. */
  get ids(): number[] {
    return Array.from(this.#open.values(), ({ id }) => id);
  }

  /** Opens a session for use. */
  async connect<I extends SessionInterface>(interface_: I, options: ConnectOptions): Promise<Session<I>> {
    const { id, capability } = await this.#request(interface_, options);
    const reference = referenceOf(capability);
    assert(reference !== undefined, 'a session capability has a reference');
    const session = capabilityFor(interface_, reference);
    const { args = {} } = options;
    const plans = streamPlans(interface_, args);
    const streams: { close(): void; release(): void }[] = [];
    this.#open.set(session, { id, capability, streams });
    // `using session = await env.connect(…)` closes it, not only this component's hold on it.
    const dispose = (): void => void this.close(session).catch(this.#report);
    Object.defineProperty(session, Symbol.dispose, { value: dispose });
    try {
      await reference.introduced();
      if (plans.length > 0) {
        const tickets = await reference.call(OPEN_OPERATION, []);
        for (const plan of plans) {
          const stream = openStream(plan, tickets, (place) =>
            this.#watch?.opened({ service: interface_.service, label: options.label ?? '', args }, place),
          );
          streams.push(stream);
          Object.defineProperty(session, plan.name, { value: stream });
        }
      }
    } catch (error) {
      await this.close(session).catch(() => {});
      throw error;
    }
    // The streams were just defined, one for each that the interface declares.
    return session as Session<I>;
  }

  /** Opens a session to hand it on. */
  async request<I extends SessionInterface>(
    interface_: I,
    options: ConnectOptions,
  ): Promise<SessionTicket<I>> {
    const { id, capability } = await this.#request(interface_, options);
    const ticket = new SessionTicket(interface_, capability);
    this.#open.set(ticket, { id, capability, streams: [] });
    return ticket;
  }

  /** Closes a session that `connect` or `request` has opened. */
  async close(session: object): Promise<void> {
    const open = this.#open.get(session);
    if (!open) return;
    this.#open.delete(session);
    for (const stream of open.streams) stream.close();
    open.capability[Symbol.dispose]();
    try {
      await this.#parent.close(open.id);
    } finally {
      for (const stream of open.streams) stream.release();
    }
  }

  /** Donates more to an open session. */
  async upgrade(session: object, more: Resources): Promise<void> {
    const open = this.#open.get(session);
    assert(open !== undefined, 'only an open session can be upgraded');
    await this.#parent.upgrade(open.id, more.ram, more.caps);
  }

  /** Unless the parent has refused it the session may exist, and only the answer was lost. */
  async #giveUp(id: number, error: unknown): Promise<void> {
    if (!isRefusal(error)) await this.#parent.close(id).catch(() => {});
  }

  async #request(
    interface_: SessionInterface,
    options: ConnectOptions,
  ): Promise<{ id: number; capability: SessionCapability }> {
    const args = options.args ?? {};
    const plans = streamPlans(interface_, args);
    const cost = sessionCost(interface_, plans);
    let ram = options.donation?.ram ?? cost.ram + (options.ram ?? 0);
    let caps = options.donation?.caps ?? cost.caps + (options.caps ?? 0);
    for (let attempt = options.donation ? ATTEMPTS : 1; ; attempt++) {
      const id = this.#nextId++;
      const { service } = interface_;
      try {
        const request = { id, service, label: options.label ?? '', args, ram, caps };
        return { id, capability: await this.#parent.session(request) };
      } catch (error) {
        await this.#giveUp(id, error);
        if (attempt < ATTEMPTS && hasCode(error, 'INSUFFICIENT_RAM')) ram += MORE_RAM;
        else if (attempt < ATTEMPTS && hasCode(error, 'INSUFFICIENT_CAPS')) caps += MORE_CAPS;
        else throw sessionError(service, options.label ?? '', error);
      }
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof RpcError && SESSION_ERRORS.some((code) => code === error.code);
}

function sessionError(service: string, label: string, error: unknown): Error {
  if (!(error instanceof RpcError)) return error instanceof Error ? error : new Error(String(error));
  if (error.code === 'PeerGone') return error;
  const code = toSessionErrorCode(error.code);
  const reason = error.message === code ? '' : `: ${error.message}`;
  return new SessionError(code, `${service} session "${label}": ${code}${reason}`);
}

function openStream(
  plan: StreamPlan,
  tickets: unknown,
  watchAt: (place: StreamPlace) => SourceWatch | undefined,
): PacketSource | PacketSink {
  const ticket = isRecord(tickets) ? tickets[plan.name] : undefined;
  if (!(ticket instanceof StreamTicket)) {
    throw new RpcError('InternalError', `the server offers no packet stream "${plan.name}"`);
  }
  const link = ticket.take(plan.memoryBytes);
  const { payloadDirection } = plan.declaration;
  if (plan.declaration.role !== 'tx') return new PacketSink(link, plan.parameters, payloadDirection);
  const source = new PacketSource(link, plan.parameters, payloadDirection);
  const watch = link.place && watchAt(link.place);
  if (watch) source.watchBy(watch);
  return source;
}
