/**
 * An object that this component lets others call: its interface, the implementation behind it, and whether it has
 * been revoked. Arguments are checked against the declared shapes before the implementation sees them, and what
 * it throws is turned into a declared code before it leaves.
 */
import { isRuntimeErrorCode, RpcError } from '../errors.ts';
import type { Interface } from '../interface/interface.ts';
import { ShapeError, type Shape } from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';

/** What the runtime of a client asks a session for its packet streams with; no interface can declare it. */
export const OPEN_OPERATION = '$open';

/** The implementation has not seen the call: nobody has taken over what came with it. */
export class RefusedCall extends RpcError {}

/** An object with the operations of an interface, as the runtime sees it. */
export class ExportedObject {
  readonly kind = 'object';
  readonly interface_: Interface;
  readonly implementation: object;
  readonly #report: (error: unknown) => void;
  #revoked = false;
  /** Calls answered or under way since the object was made. */
  served = 0;
  /** Of a session object: hands out its streams, as the answer to `OPEN_OPERATION`. */
  open: (() => unknown) | undefined;

  /** `report` takes undeclared errors of the implementation: they are logged here and hidden from the caller. */
  constructor(interface_: Interface, implementation: object, report: (error: unknown) => void) {
    this.interface_ = interface_;
    this.implementation = implementation;
    this.#report = report;
  }

  get revoked(): boolean {
    return this.#revoked;
  }

  /** Later calls end with `Revoked`; those under way still answer. */
  revoke(): void {
    this.#revoked = true;
  }

  /** Runs an operation for a caller: the result, or a promise of it. Throws or rejects with `RpcError` only. */
  dispatch(operation: string, args: readonly unknown[]): unknown {
    if (this.#revoked) throw new RefusedCall('Revoked', `${this.interface_.name}: the object was revoked`);
    this.served++;
    if (operation === OPEN_OPERATION && this.open) return this.open();
    const members = this.interface_.members;
    const member = Object.hasOwn(members, operation) ? members[operation] : undefined;
    if (member?.kind !== 'rpc') {
      const unknown = operation.slice(0, LIMITS.nameBytes);
      throw new RefusedCall('UnknownOperation', `${this.interface_.name} has no operation ${unknown}`);
    }
    const checked = this.#checked(member.args, args, operation);
    try {
      const result = this.#invoke(operation, checked);
      return isThenable(result) ? this.#settled(result, operation) : result;
    } catch (error) {
      throw this.#declaredError(error, operation);
    }
  }

  #checked(
    shapes: readonly Shape<unknown>[] | undefined,
    args: readonly unknown[],
    operation: string,
  ): readonly unknown[] {
    try {
      return checkArguments(shapes, args);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw this.#declaredError(error, operation);
      throw new RefusedCall('InvalidArgument', `${this.interface_.name}.${operation}: ${error.message}`);
    }
  }

  async #settled(result: PromiseLike<unknown>, operation: string): Promise<unknown> {
    try {
      return await result;
    } catch (error) {
      throw this.#declaredError(error, operation);
    }
  }

  #invoke(operation: string, args: readonly unknown[]): unknown {
    const method: unknown = Reflect.get(this.implementation, operation);
    if (typeof method !== 'function') {
      throw new TypeError(`the implementation of ${this.interface_.name} lacks ${operation}`);
    }
    return Reflect.apply(method, this.implementation, args);
  }

  #declaredError(error: unknown, operation: string): RpcError {
    if (error instanceof ShapeError) {
      return new RpcError('InvalidArgument', `${this.interface_.name}.${operation}: ${error.message}`);
    }
    if (error instanceof RpcError && this.interface_.errors.includes(error.code)) return shortened(error);
    // PeerGone of a server behind this one would read as if this one were gone.
    if (error instanceof RpcError && isRuntimeErrorCode(error.code) && error.code !== 'PeerGone') {
      return shortened(error);
    }
    this.#report(error);
    return new RpcError('InternalError', `${this.interface_.name}.${operation} failed`);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function shortened(error: RpcError): RpcError {
  return new RpcError(error.code, error.message.slice(0, LIMITS.reasonBytes));
}

const ARGUMENT_NAMES = Array.from({ length: 16 }, (_, index) => `argument ${index + 1}`);

function checkArguments(
  shapes: readonly Shape<unknown>[] | undefined,
  args: readonly unknown[],
): readonly unknown[] {
  if (!shapes) return args;
  if (args.length > shapes.length) throw new ShapeError('arguments', `at most ${shapes.length}`);
  return shapes.map((shape, index) => shape(args[index], ARGUMENT_NAMES[index] ?? 'an argument'));
}
