/**
 * The server's side of sessions: the root object of one service. It charges each session to the
 * donation that came with it, asks the component for the session's object, and takes everything
 * down when the session is closed.
 */
import { OPEN_OPERATION } from '../capability/open-operation.ts';
import { StreamOffer } from '../channel/stream-link.ts';
import type { SessionContext, SessionOpener } from './env.ts';
import { assert, hasCode, RpcError, SessionError, PeerGone, toSessionErrorCode } from '../errors.ts';
import type { Capability, Implementation, ServerStreams, SessionInterface } from '../interface/interface.ts';
import { Label } from '../label.ts';
import { PacketSink, PacketSource } from '../packet-stream/index.ts';
import type { RootRequest, SessionCapability } from '../session/parent.ts';
import type { Pd, Resources } from '../session/pd.ts';
import type { Entrypoint } from './entrypoint.ts';
import type { ServedCounter } from './served-counter.ts';
import type { SessionWatch } from './session-watch.ts';
import { StreamTracing } from './stream-tracing.ts';
import { refuseTooLittle } from '../session/session-memory.ts';
import { sessionCost, streamPlans, type StreamPlan } from './session-cost.ts';
import { SessionTicket } from './session-client.ts';

/** The parts of its component that a service works with. */
export interface ServiceHost {
  readonly entrypoint: Entrypoint;
  readonly pd: Capability<typeof Pd>;
  readonly closeTicket: (ticket: object) => Promise<void>;
  readonly report: (error: unknown) => void;
  readonly served: ServedCounter;
  /** Counts its calls alone. */
  readonly calls: ServedCounter;
  readonly packets: ServedCounter;
  readonly watch?: SessionWatch | undefined;
}

interface ServedSession {
  /** The number of its allocation; `undefined` for a session that another server serves. */
  readonly allocation: number | undefined;
  readonly end: () => Promise<void>;
}

/** One packet stream of a session: the promise on which its server waits, and what settles it. */
interface StreamSlot {
  readonly plan: StreamPlan;
  readonly end: Promise<PacketSink | PacketSource>;
  readonly resolve: (end: PacketSink | PacketSource) => void;
  readonly reject: (error: Error) => void;
  opened: PacketSink | PacketSource | undefined;
}

/** The root object of a service. Its methods are those of the `Root` interface. */
export class Service<I extends SessionInterface> {
  readonly #interface: I;
  readonly #open: SessionOpener<I>;
  readonly #host: ServiceHost;
  readonly #sessions = new Map<number, ServedSession>();
  readonly #opening = new Set<number>();

  constructor(interface_: I, open: SessionOpener<I>, host: ServiceHost) {
    this.#interface = interface_;
    this.#open = open;
    this.#host = host;
  }

  /** The number of open sessions. */
  get count(): number {
    return this.#sessions.size;
  }

  /** Opens a session, as the parent has asked. */
  async session(request: RootRequest): Promise<SessionCapability> {
    const { id } = request;
    if (this.#sessions.has(id) || this.#opening.has(id)) {
      throw new SessionError('DENIED', `session ${id} exists`);
    }
    this.#opening.add(id);
    try {
      return await this.#openSession(request);
    } finally {
      this.#opening.delete(id);
    }
  }

  async #openSession(request: RootRequest): Promise<SessionCapability> {
    const { plans, cost } = this.#needs(request);
    refuseTooLittle(request, cost);
    const slots = plans.map(streamSlot);
    try {
      const answer = await this.#open(this.#context(request, cost, slots));
      if (answer instanceof SessionTicket) return this.#mediate(request.id, answer, slots);
      return await this.#serve(request.id, answer, slots, cost);
    } catch (error) {
      for (const slot of slots) slot.reject(new PeerGone('the session was not created'));
      throw this.#refusal(error);
    }
  }

  /**
   * The client has donated more. The quota is in our account already, so only the number is
   * checked.
   */
  upgrade(id: number): void {
    if (!this.#sessions.has(id)) throw new SessionError('DENIED', `no session ${id}`);
  }

  /** Ends a session. Settles when everything that it used is free. */
  async close(id: number): Promise<void> {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    try {
      await session.end();
    } catch (error) {
      this.#host.report(error);
    }
    if (session.allocation !== undefined) await this.#host.pd.free(session.allocation);
  }

  #needs({ args }: RootRequest): { readonly plans: StreamPlan[]; readonly cost: Resources } {
    try {
      const plans = streamPlans(this.#interface, args);
      return { plans, cost: sessionCost(this.#interface, args, plans) };
    } catch (error) {
      throw new SessionError('DENIED', error instanceof RpcError ? error.message : undefined);
    }
  }

  #context(request: RootRequest, cost: Resources, slots: readonly StreamSlot[]): SessionContext<I> {
    const streams = Object.fromEntries(slots.map((slot) => [slot.plan.name, slot.end]));
    return {
      label: new Label(request.label),
      args: request.args,
      ram: request.ram - cost.ram,
      caps: request.caps - cost.caps,
      donation: { ram: request.ram, caps: request.caps },
      // Each stream that the interface declares has one promise, of the end that belongs to the
      // server.
      streams: streams as ServerStreams<I>,
    };
  }

  /** Another server serves the session and gets the donation, so nothing is charged here. */
  #mediate(id: number, ticket: SessionTicket<I>, slots: readonly StreamSlot[]): SessionCapability {
    for (const slot of slots) slot.reject(new PeerGone('the session was handed on'));
    const end = async (): Promise<void> => {
      try {
        await this.#host.closeTicket(ticket);
      } finally {
        ticket.onClosed?.();
      }
    };
    this.#sessions.set(id, { allocation: undefined, end });
    return ticket.capability;
  }

  async #serve(
    id: number,
    answer: Implementation<I>,
    slots: readonly StreamSlot[],
    cost: Resources,
  ): Promise<SessionCapability> {
    const dispose = async (): Promise<void> => {
      await (answer[Symbol.asyncDispose] ?? answer[Symbol.dispose])?.call(answer);
    };
    // Charged only now: a mediator needs the donation before, to pass it on, and it is in our
    // account since the request came.
    const allocation = await this.#host.pd.allocate(cost).catch(async (error: unknown) => {
      await dispose();
      throw error;
    });
    // Every session has an object of its own, because one implementation may serve many sessions.
    const { object, capability } = this.#host.entrypoint.serve(this.#interface, answer);
    const calls = (): number => object.served;
    const uncount = [this.#host.served.watch(calls), this.#host.calls.watch(calls)];
    if (slots.length > 0) object.open = () => this.#offers(slots, uncount);
    const end = async (): Promise<void> => {
      object.revoke();
      for (const slot of slots) {
        slot.reject(new PeerGone('the session was closed'));
        slot.opened?.close();
      }
      for (const stop of uncount) stop();
      try {
        await dispose();
      } finally {
        for (const slot of slots) slot.opened?.release();
      }
    };
    this.#sessions.set(id, { allocation, end });
    return capability;
  }

  /** Answers the client's request for its packet streams, which it may make once. */
  #offers(slots: readonly StreamSlot[], uncount: (() => void)[]): Record<string, StreamOffer> {
    if (slots.some((slot) => slot.opened)) {
      throw new RpcError('InvalidArgument', `${OPEN_OPERATION.title}: the session's streams are open`);
    }
    return Object.fromEntries(slots.map((slot) => [slot.plan.name, this.#offer(slot, uncount)]));
  }

  #offer(slot: StreamSlot, uncount: (() => void)[]): StreamOffer {
    const { declaration, parameters, memoryBytes } = slot.plan;
    return new StreamOffer(memoryBytes, (link) => {
      assert(slot.opened === undefined, 'a stream is opened once');
      const { tracer } = this.#host.entrypoint;
      const trace = new StreamTracing(tracer, this.#interface.service, link.place?.peer ?? 0);
      if (declaration.role === 'tx') {
        const sink = new PacketSink(link, parameters, declaration.payloadDirection);
        uncount.push(
          this.#host.served.watch(() => sink.served),
          this.#host.packets.watch(() => sink.served),
        );
        sink.watch = link.place && this.#host.watch?.served(this.#interface.service, link.place);
        sink.trace = trace;
        slot.opened = sink;
      } else {
        const source = new PacketSource(link, parameters, declaration.payloadDirection);
        uncount.push(this.#host.packets.watch(() => source.served));
        source.trace = trace;
        slot.opened = source;
      }
      slot.resolve(slot.opened);
    });
  }

  #refusal(error: unknown): SessionError {
    if (error instanceof SessionError) return error;
    if (hasCode(error, 'OUT_OF_RAM') || hasCode(error, 'OUT_OF_CAPS')) {
      return new SessionError(toSessionErrorCode(error.code), error.message);
    }
    this.#host.report(error);
    return new SessionError('DENIED', 'the server could not create the session');
  }
}

function streamSlot(plan: StreamPlan): StreamSlot {
  let resolve: StreamSlot['resolve'] = () => {};
  let reject: StreamSlot['reject'] = () => {};
  const end = new Promise<PacketSink | PacketSource>((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  // A server that ignores the stream must not hear of the stream's end as an unhandled rejection.
  end.catch(() => {});
  return { plan, end, resolve, reject, opened: undefined };
}
