/**
 * Capabilities as components hold them: an object with the operations of an interface, in front of a `Reference`
 * that knows where the object lives. One class is made for each interface, the first time it is used.
 */
import { RpcError } from '../errors.ts';
import type { Capability, Interface } from '../interface/interface.ts';
import { ShapeError, type Shape } from '../interface/shapes.ts';
import { SignalCapability } from './signal.ts';
import type { Reference, ResultCheck } from './reference.ts';
import { watchCapability } from './unreleased.ts';

/** What stands behind every capability of every interface. */
export class CapabilityObject implements Disposable {
  readonly #reference: Reference;

  constructor(reference: Reference) {
    this.#reference = reference;
  }

  /** Gives this component's hold on the object back. Later calls reject with `Revoked`. */
  [Symbol.dispose](): void {
    this.#reference.release();
  }

  /** For the runtime: where calls go. */
  static reference(object: CapabilityObject): Reference {
    return object.#reference;
  }
}

type CapabilityClass = new (reference: Reference) => CapabilityObject;

const classes = new WeakMap<Interface, CapabilityClass>();

function classFor(interface_: Interface): CapabilityClass {
  const known = classes.get(interface_);
  if (known) return known;
  const made = class extends CapabilityObject {};
  for (const [name, member] of Object.entries(interface_.members)) {
    if (member.kind !== 'rpc') continue;
    const check = member.result && resultCheck(member.result, `${interface_.name}.${name} result`);
    Object.defineProperty(made.prototype, name, {
      value(this: CapabilityObject, ...args: unknown[]): Promise<unknown> {
        return CapabilityObject.reference(this).call(name, args, check);
      },
    });
  }
  classes.set(interface_, made);
  return made;
}

function resultCheck(shape: Shape<unknown>, where: string): ResultCheck {
  return (value) => {
    try {
      return shape(value, where);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      throw new RpcError('InternalError', `the server's answer is malformed: ${error.message}`);
    }
  };
}

/** A capability of the given interface in front of `reference`. */
export function capabilityFor<I extends Interface>(interface_: I, reference: Reference): Capability<I> {
  // The class was built from the interface's own members, which is what `Capability<I>` says in types.
  const made = new (classFor(interface_))(reference) as unknown as Capability<I>;
  watchCapability(made, reference, interface_.name);
  return made;
}

/** The reference behind a capability or signal, or `undefined` if `value` is neither. */
export function referenceOf(value: unknown): Reference | undefined {
  if (value instanceof CapabilityObject) return CapabilityObject.reference(value);
  if (value instanceof SignalCapability) return value.reference;
  return undefined;
}

/** What a message yields for a capability before a shape has said which interface it is to be. */
export class RawCapability {
  readonly reference: Reference;

  constructor(reference: Reference) {
    this.reference = reference;
  }
}

/** Accepts a capability and gives it the operations of `interface_`. */
export function capability<I extends Interface>(interface_: I): Shape<Capability<I>> {
  return (value, where) => {
    if (value instanceof RawCapability) return capabilityFor(interface_, value.reference);
    const reference = referenceOf(value);
    if (!reference) throw new ShapeError(where, `a capability of ${interface_.name}`);
    return capabilityFor(interface_, reference);
  };
}

/** The same object with the operations of `interface_`: for sessions that were routed without a look at them. */
export function capabilityOf<I extends Interface>(interface_: I, some: object): Capability<I> {
  return capability(interface_)(some, 'capability');
}

/** Accepts a signal. */
export const signal: Shape<SignalCapability> = (value, where) => {
  if (value instanceof SignalCapability) return value;
  if (value instanceof RawCapability) {
    const made = new SignalCapability(value.reference);
    watchCapability(made, value.reference, 'a signal');
    return made;
  }
  throw new ShapeError(where, 'a signal');
};

/** The object behind a capability of one's own, if it was exported with `interface_`. */
export function implementationOf(interface_: Interface, capability_: object): object | undefined {
  const object = referenceOf(capability_)?.localObject();
  return object?.interface_ === interface_ ? object.implementation : undefined;
}
