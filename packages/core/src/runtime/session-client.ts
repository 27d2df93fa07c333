/**
 * The client's side of sessions: asks the parent, donates what the session needs, opens its packet
 * streams, and closes it again. If a server says that the donation is too small, the client asks
 * again with more, a bounded number of times (Genode's client library does so without end).
 */
import type { SignalCapability } from '../capability/signal.ts';
import { capabilityFor, referenceOf } from '../capability/capability.ts';
import { HeldReference, PendingReference, type Reference } from '../capability/reference.ts';
import { OPEN_OPERATION } from '../capability/open-operation.ts';
import { StreamTicket } from '../channel/stream-link.ts';
import { sumOf } from '../costs.ts';
import { assert, hasCode, PeerGone, RpcError, SessionError, toSessionErrorCode } from '../errors.ts';
import type { Capability, Session, SessionInterface } from '../interface/interface.ts';
import { isRecord } from '../interface/shapes.ts';
import { PacketSink, PacketSource, type SourceWatch, type StreamPlace } from '../packet-stream/index.ts';
import { type Parent, refusalError, type SessionCapability, type SessionRequest } from '../session/parent.ts';
import type { Resources } from '../session/pd.ts';
import type { ConnectOptions, RequestOptions, SessionConnectOptions } from './connect-options.ts';
import { GivenUp, type StartTimeout, unlessGivenUp } from './giving-up.ts';
import { Reattachments } from './reattachments.ts';
import { refuseDifferences } from './compared-declarations.ts';
import type { ServedCounter } from './served-counter.ts';
import type { SessionWatch } from './session-watch.ts';
import type { Tracer } from '../trace/tracer.ts';
import { StreamTracing } from './stream-tracing.ts';
import { sessionCost, streamPlans, type StreamPlan } from './session-cost.ts';

const NOTHING: Resources = { ram: 0, caps: 0 };
const ATTEMPTS = 32;
const MORE_RAM = 4096;
const MORE_CAPS = 4;

/** An open session that is to be handed on: this component does not use it. */
export class SessionTicket<I extends SessionInterface> {
  readonly interface_: I;
  readonly capability: SessionCapability;
  /**
   * For a mediator that has answered with this session: called when its client's session was
   * closed.
   */
  onClosed: (() => void) | undefined;

  constructor(interface_: I, capability: SessionCapability) {
    this.interface_ = interface_;
    this.capability = capability;
  }
}

interface OpenSession {
  readonly id: number;
  /** Whether the component uses it itself, and everything that was donated for it. */
  readonly own: boolean;
  donation: Resources;
  readonly capability: SessionCapability;
  readonly streams: { close(): void; release(): void }[];
  /** Functions that end the counting of its packets. */
  readonly uncount: (() => void)[];
  /** Whether its streams are closed and its capability is released. */
  ended: boolean;
  /** The answer to its closing, while that is under way. */
  closing: Promise<Resources> | undefined;
}

/** The parts of its component that the session client works with. */
export interface SessionClientHost {
  readonly parent: Capability<typeof Parent>;
  /** Takes errors of a closing that nobody waits for. */
  readonly report: (error: unknown) => void;
  readonly startTimeout: StartTimeout;
  /** Counts the packets of the component's streams. */
  readonly packets: ServedCounter;
  readonly watch: SessionWatch | undefined;
  readonly tracer: Tracer;
  readonly signal: (handler: () => Promise<void>) => SignalCapability;
  /** Says that a session which was lost has no successor for now. */
  readonly refused: (text: string) => void;
}

/** The sessions that a component has opened. */
export class SessionClient {
  readonly #host: SessionClientHost;
  readonly #open = new Map<object, OpenSession>();
  /** The sessions that go on in others when their servers go. */
  readonly reattachments: Reattachments;
  /** The sessions that the component did not close itself, because others took their places. */
  readonly #left = new WeakSet<object>();
  #nextId = 1;

  constructor(host: SessionClientHost) {
    this.#host = host;
    this.reattachments = new Reattachments({
      parent: host.parent,
      signal: host.signal,
      report: host.report,
      sessions: () => new Map(Array.from(this.#open, ([session, { id }]) => [id, session])),
      close: (session) => {
        this.#left.add(session);
        return this.#closeOpen(session);
      },
    });
  }

  /** The numbers of the open sessions. */
  get ids(): number[] {
    return Array.from(this.#open.values(), ({ id }) => id);
  }

  /** Everything that was donated for the open sessions that the component uses itself. */
  get ownDonations(): Resources {
    let sum = NOTHING;
    for (const { own, donation } of this.#open.values()) if (own) sum = sumOf(sum, donation);
    return sum;
  }

  /** Opens a session for use; see `Env.connect`. */
  async connect<I extends SessionInterface>(
    interface_: I,
    options: SessionConnectOptions<I>,
  ): Promise<Session<I>> {
    const { onReattach, onReattachRefused } = options;
    const asked = onReattach ? { ...options, reattach: true } : options;
    const session = await this.#unlessGivenUp(interface_, options, (givenUp) =>
      this.#connect(interface_, asked, givenUp),
    );
    if (onReattach && this.#open.has(session)) {
      const { label = '' } = options;
      const title = `${interface_.service} session "${label}" is lost`;
      this.reattachments.keep(session, {
        open: async (givenUp) => {
          const next = await this.#connect(interface_, asked, givenUp);
          return { session: next, hand: () => onReattach(next) };
        },
        refused: (reason) => {
          if (onReattachRefused) onReattachRefused(reason);
          else this.#host.refused(`${title}, and there is no other for now: ${reason.message}`);
        },
      });
    }
    return session;
  }

  async #connect<I extends SessionInterface>(
    interface_: I,
    options: RequestOptions,
    givenUp: AbortSignal | undefined,
  ): Promise<Session<I>> {
    const { id, capability, donation } = await this.#request(interface_, options, givenUp);
    const reference = referenceOf(capability);
    assert(reference !== undefined, 'a session capability has a reference');
    const session = capabilityFor(interface_, reference);
    const { args = {} } = options;
    const plans = streamPlans(interface_, args);
    const streams: { close(): void; release(): void }[] = [];
    const uncount: (() => void)[] = [];
    const rest = { streams, uncount, ended: false, closing: undefined };
    this.#open.set(session, { id, own: true, donation, capability, ...rest });
    // Disposing the session, as `using session = await env.connect(…)` does, closes it. It does not
    // only release the capability.
    const dispose = (): void => void this.close(session).catch(this.#host.report);
    Object.defineProperty(session, Symbol.dispose, { value: dispose });
    givenUp?.addEventListener('abort', dispose, { once: true });
    try {
      await reference.introduced();
      if (reference.abroad) await refuseDifferences(interface_, options.label ?? '', reference);
      if (plans.length > 0) {
        const tickets = await reference.call(OPEN_OPERATION, []);
        for (const plan of plans) {
          const stream = openStream(plan, tickets, (place) =>
            this.#host.watch?.opened(
              { service: interface_.service, label: options.label ?? '', args },
              place,
            ),
          );
          stream.trace = new StreamTracing(this.#host.tracer, interface_.service, peerOf(reference));
          streams.push(stream);
          uncount.push(this.#host.packets.watch(() => stream.served));
          Object.defineProperty(session, plan.name, { value: stream });
        }
      }
    } catch (error) {
      await this.close(session).catch(() => {});
      throw error;
    } finally {
      givenUp?.removeEventListener('abort', dispose);
    }
    // Every stream that the interface declares was defined above.
    return session as Session<I>;
  }

  /** Opens a session to be handed on; see `Env.request`. */
  request<I extends SessionInterface>(interface_: I, options: RequestOptions): Promise<SessionTicket<I>> {
    if (options.awaitAnswer) return this.#requestTicket(interface_, options, options.signal);
    return this.#unlessGivenUp(interface_, options, (givenUp) =>
      this.#requestTicket(interface_, options, givenUp),
    );
  }

  async #requestTicket<I extends SessionInterface>(
    interface_: I,
    options: RequestOptions,
    givenUp: AbortSignal | undefined,
  ): Promise<SessionTicket<I>> {
    const { id, capability, donation } = await this.#request(interface_, options, givenUp);
    const ticket = new SessionTicket(interface_, capability);
    this.#open.set(ticket, {
      id,
      own: false,
      donation,
      capability,
      streams: [],
      uncount: [],
      ended: false,
      closing: undefined,
    });
    return ticket;
  }

  /**
   * Closes a session that `connect` or `request` has opened. The result is the part of its donation
   * that has not come back. The session is forgotten when the parent has accepted that, not before:
   * a caller that is told `LimitExceeded` may close it again.
   */
  close(session: object): Promise<Resources> {
    this.reattachments.forget(session);
    return this.#closeOpen(session);
  }

  async #closeOpen(session: object): Promise<Resources> {
    const open = this.#open.get(session);
    if (!open) return NOTHING;
    if (open.closing) {
      await open.closing.catch(() => {});
      return NOTHING;
    }
    open.closing = this.#close(session, open);
    try {
      return await open.closing;
    } finally {
      open.closing = undefined;
    }
  }

  async #close(session: object, open: OpenSession): Promise<Resources> {
    endUse(open);
    let taken = true;
    try {
      return await this.#closeAtParent(open.id);
    } catch (error) {
      taken = !hasCode(error, 'LimitExceeded');
      throw error;
    } finally {
      if (taken) this.#open.delete(session);
      for (const stream of taken ? open.streams : []) stream.release();
    }
  }

  /**
   * The parent may have so many calls under way that it takes no more. Then closing waits for the
   * next answer and tries again, as long as there is an answer to come.
   */
  async #closeAtParent(id: number): Promise<Resources> {
    const { parent } = this.#host;
    for (;;) {
      try {
        return await parent.close(id);
      } catch (error) {
        const answer = hasCode(error, 'LimitExceeded') ? referenceOf(parent)?.nextAnswer() : undefined;
        if (!answer) throw error;
        await answer;
      }
    }
  }

  /** Donates more to an open session. */
  async upgrade(session: object, more: Resources): Promise<void> {
    if (this.#left.has(session)) throw new PeerGone('the session is lost');
    const open = this.#open.get(session);
    assert(open !== undefined && !open.ended, 'only an open session can be upgraded');
    const refused = await this.#host.parent.upgrade(open.id, more.ram, more.caps);
    if (refused) throw refusalError(refused);
    open.donation = sumOf(open.donation, more);
  }

  #unlessGivenUp<T extends object>(
    { service }: SessionInterface,
    options: ConnectOptions,
    open: (givenUp: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    const title = `${service} session "${options.label ?? ''}": not open`;
    const { startTimeout, report } = this.#host;
    const close = (late: T): void => void this.close(late).catch(report);
    return unlessGivenUp(title, options, startTimeout, open, close);
  }

  async #request(
    interface_: SessionInterface,
    options: RequestOptions,
    givenUp: AbortSignal | undefined,
  ): Promise<{ id: number; capability: SessionCapability; donation: Resources }> {
    const args = options.args ?? {};
    const plans = streamPlans(interface_, args);
    const cost = sessionCost(interface_, args, plans);
    let ram = options.donation?.ram ?? cost.ram + (options.ram ?? 0);
    let caps = options.donation?.caps ?? cost.caps + (options.caps ?? 0);
    const { service } = interface_;
    for (let attempt = options.donation ? ATTEMPTS : 1; ; attempt++) {
      if (givenUp?.aborted) throw new GivenUp();
      const id = this.#nextId++;
      try {
        const { label = '', reattach } = options;
        const request = { id, service, label, args, ram, caps, reattach };
        return { id, capability: await this.#ask(request, givenUp), donation: { ram, caps } };
      } catch (error) {
        if (attempt < ATTEMPTS && hasCode(error, 'INSUFFICIENT_RAM')) ram += MORE_RAM;
        else if (attempt < ATTEMPTS && hasCode(error, 'INSUFFICIENT_CAPS')) caps += MORE_CAPS;
        else throw sessionError(service, options.label ?? '', error);
      }
    }
  }

  /**
   * Asks the parent once. If the client gives up meanwhile, the parent is told, and takes back a
   * session that comes too late.
   */
  async #ask(request: SessionRequest, givenUp: AbortSignal | undefined): Promise<SessionCapability> {
    const { parent } = this.#host;
    let closed: Promise<Resources> | undefined;
    const close = (): Promise<Resources> => (closed ??= this.#closeAtParent(request.id).catch(() => NOTHING));
    givenUp?.addEventListener('abort', close, { once: true });
    try {
      const { session, refused, watched } = await parent.session(request);
      if (watched) this.reattachments.listen();
      if (session && !givenUp?.aborted) return session;
      session?.[Symbol.dispose]();
      if (refused) throw refusalError(refused);
      throw new SessionError('DENIED', 'given up', await close());
    } catch (error) {
      // Unless the parent has refused it, the session may exist and only the answer was lost.
      const closing = error instanceof SessionError ? undefined : close();
      // After `LimitExceeded` there was no room for the request, so there is none for closing it
      // either.
      if (!hasCode(error, 'LimitExceeded')) await closing;
      throw error;
    } finally {
      givenUp?.removeEventListener('abort', close);
    }
  }
}

/** Ends this component's use of a session, once. The session stays open at the parent. */
function endUse(open: OpenSession): void {
  if (open.ended) return;
  open.ended = true;
  for (const stream of open.streams) stream.close();
  for (const stop of open.uncount) stop();
  open.capability[Symbol.dispose]();
}

function sessionError(service: string, label: string, error: unknown): Error {
  if (!(error instanceof RpcError)) return error instanceof Error ? error : new Error(String(error));
  if (error.code === 'PeerGone') return error;
  // Nobody has refused it: whoever served the session was gone before the answer was given on.
  if (error.code === 'Revoked') return new PeerGone(`${service} session "${label}": ${error.message}`);
  const code = toSessionErrorCode(error.code);
  const reason = error.message === code ? '' : `: ${error.message}`;
  const kept = error instanceof SessionError ? error.kept : undefined;
  return new SessionError(code, `${service} session "${label}": ${code}${reason}`, kept);
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

/** The component that serves a session that was introduced; 0 if that is not another one. */
function peerOf(reference: Reference): number {
  const held = reference instanceof PendingReference ? reference.target : reference;
  return held instanceof HeldReference ? held.remote.channel.peer : 0;
}
