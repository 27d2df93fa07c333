/**
 * Capabilities as components hold them: an object with the operations of an interface, in front of
 * a `Reference` that knows where the object lives. One class is made for each interface, the first
 * time it is used.
 */
import type { Capability, Interface } from '../interface/interface.ts';
import { plansOf } from '../interface/operation.ts';
import { ShapeError, type Shape } from '../interface/shapes.ts';
import { shapeWith } from '../interface/shape.ts';
import { malformed } from '../message/reader.ts';
import { refuseInValues } from '../message/value.ts';
import { SignalCapability } from './signal.ts';
import { Reference } from './reference.ts';
import { watchCapability } from './unreleased.ts';

/** The base class of every capability. */
export class CapabilityObject implements Disposable {
  readonly #reference: Reference;

  constructor(reference: Reference) {
    this.#reference = reference;
  }

  /** Gives this component's hold on the object back. Later calls reject with `Revoked`. */
  [Symbol.dispose](): void {
    this.#reference.release();
  }

  /** For the runtime: the reference behind a capability. */
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
  for (const [name, plan] of plansOf(interface_).byName) {
    Object.defineProperty(made.prototype, name, {
      value(this: CapabilityObject, ...args: unknown[]): Promise<unknown> {
        return CapabilityObject.reference(this).call(plan, args);
      },
    });
  }
  classes.set(interface_, made);
  return made;
}

/** A capability of the given interface in front of `reference`. */
export function capabilityFor<I extends Interface>(interface_: I, reference: Reference): Capability<I> {
  // The class was built from the members of this interface, and `Capability<I>` says the same in
  // types.
  const made = new (classFor(interface_))(reference) as unknown as Capability<I>;
  watchCapability(made, reference, interface_.name);
  return made;
}

/** The reference behind a capability or signal; `undefined` if `value` is neither. */
export function referenceOf(value: unknown): Reference | undefined {
  if (value instanceof CapabilityObject) return CapabilityObject.reference(value);
  if (value instanceof SignalCapability) return value.reference;
  return undefined;
}

/**
 * A shape for capabilities: an argument or result declared with it arrives with the operations of
 * `interface_`.
 */
export function capability<I extends Interface>(interface_: I): Shape<Capability<I>> {
  const expected = `a capability of ${interface_.name}`;
  const check = (value: unknown, where: string): Reference => {
    const reference = referenceOf(value);
    if (!reference) throw new ShapeError(where, expected);
    return reference;
  };
  return shapeWith((value, where) => capabilityFor(interface_, check(value, where)), {
    signature: `capability ${JSON.stringify(interface_.name)}`,
    write: (writer, value, where) => void writer.carry(check(value, where)),
    read(reader) {
      const carried = reader.carried();
      return carried instanceof Reference
        ? capabilityFor(interface_, carried)
        : malformed('not a capability');
    },
  });
}

/**
 * The same capability with the operations of `interface_`, for a session that was routed without
 * regard to its interface. A call of an operation that the object does not have rejects with
 * `UnknownOperation`.
 */
export function capabilityOf<I extends Interface>(interface_: I, some: object): Capability<I> {
  return capability(interface_)(some, 'capability');
}

/** A shape for signals. */
export const signal: Shape<SignalCapability> = ((): Shape<SignalCapability> => {
  const check = (value: unknown, where: string): SignalCapability => {
    if (value instanceof SignalCapability) return value;
    throw new ShapeError(where, 'a signal');
  };
  return shapeWith(check, {
    signature: 'signal',
    write: (writer, value, where) => void writer.carry(check(value, where).reference),
    read(reader) {
      const carried = reader.carried();
      if (!(carried instanceof Reference)) return malformed('not a signal');
      const made = new SignalCapability(carried);
      watchCapability(made, carried, 'a signal');
      return made;
    },
  });
})();

refuseInValues(CapabilityObject, 'a capability');
refuseInValues(SignalCapability, 'a signal');

/**
 * The object behind a capability of this component; `undefined` if it is another component's, or
 * was exported with another interface.
 */
export function implementationOf(interface_: Interface, capability_: object): object | undefined {
  const object = referenceOf(capability_)?.localObject();
  return object?.interface_ === interface_ ? object.implementation : undefined;
}
