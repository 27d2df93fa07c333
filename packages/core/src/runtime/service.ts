/**
 * The server's side of sessions: the root object of one service. It charges each session to the donation that came
 * with it, asks the component for the session's object, and takes everything down when the session is closed.
 */
import { OPEN_OPERATION } from '../capability/exported-object.ts';
import { StreamOffer } from '../channel/stream-link.ts';
import type { SessionContext, SessionOpener } from '../env.ts';
import { assert, hasCode, RpcError, SessionError, PeerGone, toSessionErrorCode } from '../errors.ts';
import type { Capability, Implementation, ServerStreams, SessionInterface } from '../interface/interface.ts';
import { Label } from '../label.ts';
import { PacketSink, PacketSource } from '../packet_stream/index.ts';
import type { RootRequest, SessionCapability } from '../session/parent.ts';
import type { Pd } from '../session/pd.ts';
import type { Entrypoint } from './entrypoint.ts';
import type { ServedCounter } from './served-counter.ts';
import { SESSION_OBJECT_CAPS, SESSION_OBJECT_RAM, streamPlans, type StreamPlan } from './session-cost.ts';
import { SessionTicket } from './session-client.ts';

/** What a service needs of its component. */
export interface ServiceHost {
  readonly entrypoint: Entrypoint;
  readonly pd: Capability<typeof Pd>;
  readonly closeTicket: (ticket: object) => Promise<void>;
  readonly report: (error: unknown) => void;
  readonly served: ServedCounter;
}

interface ServedSession {
  readonly allocation: number;
  readonly end: () => Promise<void>;
}

/** One stream of a session: the promise its server waits on, and what fulfils it. */
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

  constructor(interface_: I, open: SessionOpener<I>, host: ServiceHost) {
    this.#interface = interface_;
    this.#open = open;
    this.#host = host;
  }

  /** Opens a session. */
  async session(request: RootRequest): Promise<SessionCapability> {
    if (this.#sessions.has(request.id)) throw new SessionError('DENIED', `session ${request.id} exists`);
    const plans = this.#plans(request);
    const needed = plans.reduce((sum, plan) => sum + plan.memoryBytes, SESSION_OBJECT_RAM);
    if (request.ram < needed)
      throw new SessionError('INSUFFICIENT_RAM', `needs ${needed} bytes of RAM quota`);
    if (request.caps < SESSION_OBJECT_CAPS) throw new SessionError('INSUFFICIENT_CAPS');
    const allocation = await this.#host.pd.allocate({ ram: needed, caps: SESSION_OBJECT_CAPS });
    const slots = plans.map(streamSlot);
    try {
      const answer = await this.#open(this.#context(request, needed, slots));
      const { capability, end } = this.#serve(answer, slots);
      this.#sessions.set(request.id, { allocation, end });
      return capability;
    } catch (error) {
      for (const slot of slots) slot.reject(new PeerGone('the session was not created'));
      await this.#host.pd.free(allocation);
      throw this.#refusal(error);
    }
  }

  /** More quota for a session: it has reached our account already. */
  upgrade(id: number): void {
    if (!this.#sessions.has(id)) throw new SessionError('DENIED', `no session ${id}`);
  }

  /** Ends a session; settles when all it used is free. */
  async close(id: number): Promise<void> {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    try {
      await session.end();
    } catch (error) {
      this.#host.report(error);
    }
    await this.#host.pd.free(session.allocation);
  }

  #plans(request: RootRequest): StreamPlan[] {
    try {
      return streamPlans(this.#interface, request.args);
    } catch (error) {
      throw new SessionError('DENIED', error instanceof RpcError ? error.message : undefined);
    }
  }

  #context(request: RootRequest, usedRam: number, slots: readonly StreamSlot[]): SessionContext<I> {
    const streams = Object.fromEntries(slots.map((slot) => [slot.plan.name, slot.end]));
    return {
      label: new Label(request.label),
      args: request.args,
      ram: request.ram - usedRam,
      caps: request.caps - SESSION_OBJECT_CAPS,
      // One promise for each stream that the interface declares, of the end that its role says.
      streams: streams as ServerStreams<I>,
    };
  }

  #serve(
    answer: Implementation<I> | SessionTicket<I>,
    slots: readonly StreamSlot[],
  ): { capability: SessionCapability; end: () => Promise<void> } {
    if (answer instanceof SessionTicket) {
      return { capability: answer.capability, end: () => this.#host.closeTicket(answer) };
    }
    // An object of its own for each session: one implementation may serve many.
    const { object, capability } = this.#host.entrypoint.serve(this.#interface, answer);
    const uncount = [this.#host.served.watch(() => object.served)];
    if (slots.length > 0) object.open = () => this.#offers(slots, uncount);
    const end = async (): Promise<void> => {
      object.revoke();
      for (const slot of slots) {
        slot.reject(new PeerGone('the session was closed'));
        slot.opened?.close();
      }
      for (const stop of uncount) stop();
      const dispose = answer[Symbol.asyncDispose] ?? answer[Symbol.dispose];
      await dispose?.call(answer);
    };
    return { capability, end };
  }

  /** The answer to the client's `$open`: it may be given once. */
  #offers(slots: readonly StreamSlot[], uncount: (() => void)[]): Record<string, StreamOffer> {
    if (slots.some((slot) => slot.opened)) {
      throw new RpcError('InvalidArgument', `${OPEN_OPERATION}: the session's streams are open`);
    }
    return Object.fromEntries(slots.map((slot) => [slot.plan.name, this.#offer(slot, uncount)]));
  }

  #offer(slot: StreamSlot, uncount: (() => void)[]): StreamOffer {
    const { declaration, parameters, memoryBytes } = slot.plan;
    return new StreamOffer(memoryBytes, (link) => {
      assert(slot.opened === undefined, 'a stream is opened once');
      if (declaration.role === 'tx') {
        const sink = new PacketSink(link, parameters, declaration.payloadDirection);
        uncount.push(this.#host.served.watch(() => sink.served));
        slot.opened = sink;
      } else {
        slot.opened = new PacketSource(link, parameters, declaration.payloadDirection);
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
  // A server that does not look at the stream must not be bothered with its end.
  end.catch(() => {});
  return { plan, end, resolve, reject, opened: undefined };
}
