/**
 * Warns of capabilities that were collected though nobody has released them: what they led to stays
 * with its owner until one of the two components ends. Nothing is released here. When memory is
 * collected is up to the engine, and what follows from it must not be seen by components, or no run
 * could be repeated; so the warning goes to whoever runs the thread, once for each interface, and
 * only if he has asked for it.
 */
import { HeldReference, PendingReference, type Reference } from './reference.ts';

interface Watched {
  readonly reference: HeldReference | PendingReference;
  readonly name: string;
  /** Capabilities in front of it: one reference may be seen through several interfaces. */
  capabilities: number;
}

let warn: ((text: string) => void) | undefined;
let registry: FinalizationRegistry<Watched> | undefined;
const watched = new WeakMap<Reference, Watched>();
const named = new Set<string>();

/** Where warnings of this thread go. */
export function warnOfUnreleased(handler: (text: string) => void): void {
  warn = handler;
  registry ??= new FinalizationRegistry(collected);
}

/** A new capability in front of `reference`; `name` is its interface's. */
export function watchCapability(capability: object, reference: Reference, name: string): void {
  if (!registry) return;
  if (!(reference instanceof HeldReference) && !(reference instanceof PendingReference)) return;
  let watch = watched.get(reference);
  if (!watch) {
    watch = { reference, name, capabilities: 0 };
    watched.set(reference, watch);
  }
  watch.capabilities++;
  registry.register(capability, watch);
}

function collected(watch: Watched): void {
  watch.capabilities--;
  const { reference, name } = watch;
  if (watch.capabilities > 0 || !reference.holds || named.has(name)) return;
  named.add(name);
  warn?.(`a capability of ${name} was never released; its owner keeps the object for this component`);
}
