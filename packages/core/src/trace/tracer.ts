/**
 * The hooks of one component. Whoever has something to be traced looks at `on` first, the control
 * word: while nobody traces the component that is all that a hook costs.
 *
 * Trace contexts: a call that is made while the component is traced, or while it serves a call that
 * has a context, has one itself, which travels in its frame; so a trace goes on through components
 * that nobody traces. What is running in which context the platform keeps through awaits
 * (`ContextStore`), from the first context on.
 */
import { LIMITS } from '../limits.ts';
import { FAILED, NO_SPAN, TRACE_HOOKS, type TraceContext, type TraceHook } from './event.ts';
import type { CallHappening, PacketHappening, TracePolicy, Written } from './policy.ts';
import { EVENT_BYTES } from './policy-module.ts';
import type { EventContent, RingWriter } from './ring-writer.ts';

/** Keeps a value with everything that a function does, also after its awaits. */
export interface ContextStore {
  current(): TraceContext | undefined;
  run<T>(context: TraceContext, what: () => T): T;
  /** Nothing is kept any more. */
  stop(): void;
}

/** The parts of its platform that a tracer works with. */
export interface TracePlatform {
  /** Microseconds of a clock that all components of the machine share and that never goes back. */
  readonly nowUs: () => number;
  /** Called when the first context comes. Without it contexts end at the first await. */
  readonly contexts?: () => ContextStore;
}

/** A policy at work on a buffer. */
export interface Tracing {
  readonly policy: TracePolicy;
  readonly writer: RingWriter;
  /** The first half of the ids of traces that begin here, other than those of other systems. */
  readonly salt: readonly [number, number];
  /** Called after each event. */
  readonly wrote: () => void;
  /** The policy has failed; it is not called any more. */
  readonly failed: (reason: string) => void;
}

/** An operation as far as hooks are concerned. */
export interface TracedOperation {
  readonly title: string;
  /** Operations by which traces are made are not traced themselves. */
  readonly untraced: boolean;
}

const HOOK_NUMBER = Object.fromEntries(TRACE_HOOKS.map((hook, number) => [hook, number])) as Readonly<
  Record<TraceHook, number>
>;
const NO_ARGUMENTS: readonly unknown[] = [];

/** Contexts without help from the platform: they last until the first await. */
class PlainContexts implements ContextStore {
  #current: TraceContext | undefined;

  current(): TraceContext | undefined {
    return this.#current;
  }

  run<T>(context: TraceContext, what: () => T): T {
    const before = this.#current;
    this.#current = context;
    try {
      return what();
    } finally {
      this.#current = before;
    }
  }

  stop(): void {}
}

/** The tracing of one component. */
export class Tracer {
  /** The control word: whether there is a policy, or a context has ever come. */
  on = false;
  /** The number of the component, as the first half of the spans of its calls. */
  component = 0;
  readonly #platform: TracePlatform | undefined;
  #tracing: Tracing | undefined;
  #contexts: ContextStore | undefined;
  #calls = 0;
  /** A policy that makes something happen is not asked about that. */
  #asking = false;

  constructor(platform: TracePlatform | undefined) {
    this.#platform = platform;
  }

  /** Whether the platform has what tracing needs. */
  get possible(): boolean {
    return this.#platform !== undefined;
  }

  /**
   * From now on a policy is asked; with `undefined` none is, and contexts are kept again when the
   * next one comes.
   */
  use(tracing: Tracing | undefined): void {
    this.#tracing = tracing;
    if (tracing) this.#contextStore();
    else {
      this.#contexts?.stop();
      this.#contexts = undefined;
      this.on = false;
    }
  }

  /** The context of what is running now. */
  get context(): TraceContext | undefined {
    return this.#contexts?.current();
  }

  /** Runs something in a context that has come from outside. */
  within<T>(context: TraceContext, what: () => T): T {
    return this.#contextStore().run(context, what);
  }

  /** A call is about to be made. The result is its context, if it has one. */
  call(operation: TracedOperation, args: readonly unknown[], peer: number): TraceContext | undefined {
    if (operation.untraced) return undefined;
    const outer = this.#contexts?.current();
    const tracing = this.#tracing;
    if (!tracing) return outer;
    const context = this.#newContext(outer, tracing);
    const { rpcCall } = tracing.policy;
    if (rpcCall && !this.#asking) {
      this.#ask('rpc_call', 0, peer, 0, context, rpcCall, happening(operation, peer, args));
    }
    return context;
  }

  /** That call has so many bytes. */
  callSize(bytes: number): void {
    if (this.#tracing?.policy.rpcCall) this.#tracing.writer.sizeNewest(bytes);
  }

  /** A call was answered, or never will be. */
  returned(
    operation: TracedOperation,
    peer: number,
    context: TraceContext,
    answer: { readonly result?: unknown; readonly failed: boolean; readonly bytes: number },
  ): void {
    this.#answer('rpc_returned', operation, peer, context, answer);
  }

  /**
   * A call of a peer's is about to be carried out. The result is the context to do that in: that of
   * the call, or, if nobody has traced its caller, a new one.
   */
  dispatch(
    operation: TracedOperation,
    args: readonly unknown[],
    peer: number,
    bytes: number,
    called: TraceContext | undefined,
  ): TraceContext | undefined {
    const tracing = this.#tracing;
    if (!tracing || operation.untraced) return called;
    const context = called ?? this.#newContext(undefined, tracing);
    const { rpcDispatch } = tracing.policy;
    if (rpcDispatch && !this.#asking) {
      this.#ask('rpc_dispatch', 0, peer, bytes, context, rpcDispatch, happening(operation, peer, args));
    }
    return context;
  }

  /** A call of a peer's is about to be answered. */
  reply(
    operation: TracedOperation,
    peer: number,
    context: TraceContext | undefined,
    answer: { readonly result?: unknown; readonly failed: boolean },
  ): void {
    this.#answer('rpc_reply', operation, peer, context, { ...answer, bytes: 0 });
  }

  signalSubmit(peer: number, context: number): void {
    const signalSubmit = this.#tracing?.policy.signalSubmit;
    if (signalSubmit) this.#ask('signal_submit', 0, peer, 0, undefined, signalSubmit, { peer, context });
  }

  signalReceived(peer: number, context: number): void {
    const signalReceived = this.#tracing?.policy.signalReceived;
    if (signalReceived) {
      this.#ask('signal_received', 0, peer, 0, undefined, signalReceived, { peer, context });
    }
  }

  logOutput(text: string): void {
    const logOutput = this.#tracing?.policy.logOutput;
    if (logOutput) this.#ask('log_output', 0, 0, 0, this.context, logOutput, text);
  }

  checkpoint(name: string, value: number | undefined): void {
    const checkpoint = this.#tracing?.policy.checkpoint;
    if (checkpoint) this.#ask('checkpoint', 0, 0, 0, this.context, checkpoint, { name, value });
  }

  packetSubmit(packet: PacketHappening): void {
    const packetSubmit = this.#tracing?.policy.packetSubmit;
    if (!packetSubmit) return;
    this.#ask('packet_submit', 0, packet.peer, packet.size, this.context, packetSubmit, packet);
  }

  packetAcknowledge(packet: PacketHappening, failed: boolean): void {
    const packetAcknowledge = this.#tracing?.policy.packetAcknowledge;
    if (!packetAcknowledge) return;
    const flags = failed ? FAILED : 0;
    this.#ask('packet_acknowledge', flags, packet.peer, packet.length, undefined, packetAcknowledge, packet);
  }

  #contextStore(): ContextStore {
    this.#contexts ??= this.#platform?.contexts?.() ?? new PlainContexts();
    this.on = true;
    return this.#contexts;
  }

  #newContext(outer: TraceContext | undefined, { salt }: Tracing): TraceContext {
    this.#calls = (this.#calls + 1) >>> 0 || 1;
    const span = [this.component, this.#calls] as const;
    if (outer) return { trace: outer.trace, span, parent: outer.span };
    return { trace: [salt[0], salt[1], span[0], span[1]], span, parent: NO_SPAN };
  }

  #answer(
    hook: 'rpc_returned' | 'rpc_reply',
    operation: TracedOperation,
    peer: number,
    context: TraceContext | undefined,
    {
      result,
      failed,
      bytes,
    }: { readonly result?: unknown; readonly failed: boolean; readonly bytes: number },
  ): void {
    const policy = this.#tracing?.policy;
    const asked = hook === 'rpc_returned' ? policy?.rpcReturned : policy?.rpcReply;
    if (!asked || operation.untraced || this.#asking) return;
    const call: CallHappening = { name: operation.title, peer, args: NO_ARGUMENTS, result, failed };
    this.#ask(hook, failed ? FAILED : 0, peer, bytes, context, asked, call);
  }

  /** Asks the policy, and writes what it gives. Nothing that it does reaches the traced code. */
  #ask<Happening>(
    hook: TraceHook,
    flags: number,
    peer: number,
    bytes: number,
    context: TraceContext | undefined,
    policy: (happening: Happening) => Written,
    what: Happening,
  ): void {
    const tracing = this.#tracing;
    if (!tracing || !this.#platform || this.#asking) return;
    this.#asking = true;
    try {
      const timeUs = this.#platform.nowUs();
      const content: unknown = policy(what);
      if (content === undefined || content === '') return;
      if (!isContent(content)) return this.#fail(`${hook} gives neither text nor bytes`);
      const { maxEventBytes = EVENT_BYTES } = tracing.policy;
      const { writer } = tracing;
      if (!writer.write(HOOK_NUMBER[hook], flags, peer, timeUs, bytes, context, content, maxEventBytes)) {
        return this.#fail(`${hook} writes too much: ${tooMuch(tracing, maxEventBytes)}`);
      }
      tracing.wrote();
    } catch (error) {
      this.#fail(`${hook} throws: ${error instanceof Error ? error.message : 'no error'}`);
    } finally {
      this.#asking = false;
    }
  }

  #fail(reason: string): void {
    const tracing = this.#tracing;
    this.use(undefined);
    tracing?.failed(reason.slice(0, LIMITS.reasonBytes / 4));
  }
}

function tooMuch({ writer }: Tracing, maxEventBytes: number): string {
  return `an event has at most ${Math.min(maxEventBytes, writer.contentBytesMax)} bytes`;
}

function isContent(content: unknown): content is EventContent {
  return typeof content === 'string' || content instanceof Uint8Array;
}

function happening({ title }: TracedOperation, peer: number, args: readonly unknown[]): CallHappening {
  return { name: title, peer, args, result: undefined, failed: false };
}
