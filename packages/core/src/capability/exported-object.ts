/**
 * An object that this component lets others call: its interface, the implementation behind it, and
 * whether it was revoked. An error that its implementation throws becomes a declared code before it
 * leaves.
 */
import { isRuntimeErrorCode, RpcError } from '../errors.ts';
import type { Interface } from '../interface/interface.ts';
import { type OperationPlan, type OperationPlans, plansOf } from '../interface/operation.ts';
import { ShapeError } from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';
import { COMPARE_OPERATION, differences } from './compare-operation.ts';
import { OPEN_OPERATION, type StreamEnds } from './open-operation.ts';

/** Stands in the place of the implementation of a revoked object. */
const NOTHING = {};

/** An object with the operations of an interface, as the runtime sees it. */
export class ExportedObject {
  readonly kind = 'object';
  readonly interface_: Interface;
  #implementation: object;
  readonly #plans: OperationPlans;
  readonly #report: (error: unknown) => void;
  #revoked = false;
  /** How many tables of channels it is in. */
  tables = 0;
  /** Called when it is in no table any more. */
  unheld: (() => void) | undefined;
  /** Whether another component has paid for it, as a client does for its session's object. */
  readonly paid: boolean;
  /** The number of calls that were answered or are under way. */
  served = 0;
  /** Set for the object of a session: hands out its streams, in answer to `OPEN_OPERATION`. */
  open: (() => StreamEnds) | undefined;

  /**
   * `report` takes errors that the interface does not declare. They are logged here and hidden from
   * the caller.
   */
  constructor(interface_: Interface, implementation: object, report: (error: unknown) => void, paid = false) {
    this.paid = paid;
    this.interface_ = interface_;
    this.#implementation = implementation;
    this.#plans = plansOf(interface_);
    this.#report = report;
  }

  /** The object that serves the calls. It is forgotten when this object is revoked. */
  get implementation(): object {
    return this.#implementation;
  }

  get revoked(): boolean {
    return this.#revoked;
  }

  /**
   * Later calls end with `Revoked`; calls under way are still answered. A peer that still holds the
   * object keeps nothing behind it alive.
   */
  revoke(): void {
    this.#revoked = true;
    this.#implementation = NOTHING;
  }

  /**
   * The operation with this key. `caller` is the operation as the caller declares it, if that is in
   * this component. Throws `Revoked` or `UnknownOperation`.
   */
  operation(key: number, caller?: OperationPlan): OperationPlan {
    if (this.#revoked) throw new RpcError('Revoked', `${this.interface_.name}: the object was revoked`);
    const plan = this.#plans.byKey.get(key);
    if (plan) return plan;
    if (key === OPEN_OPERATION.key && this.open) return OPEN_OPERATION;
    if (key === COMPARE_OPERATION.key) return COMPARE_OPERATION;
    const { name } = this.interface_;
    const text = `${name} has no operation of this name with these shapes; do both ends declare the same?`;
    throw new RpcError('UnknownOperation', caller ? `${caller.title}: ${text}` : text);
  }

  /**
   * Runs an operation with arguments that were checked: the result, or a promise of it. Throws or
   * rejects with `RpcError`.
   */
  invoke(operation: OperationPlan, args: readonly unknown[]): unknown {
    this.served++;
    try {
      const result = this.#isOwn(operation) ? this.#runOwn(operation, args) : this.#run(operation, args);
      return isThenable(result) ? this.#settled(result, operation) : result;
    } catch (error) {
      throw this.declaredError(error, operation);
    }
  }

  /** Whether it is an operation of the runtime, which no interface declares. */
  #isOwn(operation: OperationPlan): boolean {
    return operation === OPEN_OPERATION || operation === COMPARE_OPERATION;
  }

  #runOwn(operation: OperationPlan, args: readonly unknown[]): unknown {
    if (operation === OPEN_OPERATION) return this.open?.();
    return differences(this.#plans, args[0]);
  }

  /** A call within the component that owns the object: its result, or a promise of it. */
  callLocally(operation: OperationPlan, args: readonly unknown[]): unknown {
    const plan = this.operation(operation.key, operation);
    const result = this.invoke(plan, this.#checked(plan, args));
    if (result instanceof Promise) return result.then((value) => this.#checkedResult(plan, value));
    return this.#checkedResult(plan, result);
  }

  /** The error that the caller gets. An error that is not declared is reported here. */
  declaredError(error: unknown, operation: OperationPlan): RpcError {
    if (error instanceof ShapeError) {
      return new RpcError('InvalidArgument', `${operation.title}: ${error.message}`);
    }
    if (error instanceof RpcError && this.interface_.errors.includes(error.code)) return shortened(error);
    // `PeerGone` of a server behind this component would read as if this component were gone.
    if (error instanceof RpcError && isRuntimeErrorCode(error.code) && error.code !== 'PeerGone') {
      return shortened(error);
    }
    return this.internalError(error, operation);
  }

  /** The error for a fault of the object itself: the caller learns no more than that. */
  internalError(error: unknown, operation: OperationPlan): RpcError {
    this.#report(error);
    return new RpcError('InternalError', `${operation.title} failed`);
  }

  #checked(operation: OperationPlan, args: readonly unknown[]): readonly unknown[] {
    try {
      return operation.checkArguments(args);
    } catch (error) {
      throw this.declaredError(error, operation);
    }
  }

  #checkedResult(operation: OperationPlan, value: unknown): unknown {
    try {
      return operation.checkResult(value);
    } catch (error) {
      throw this.internalError(error, operation);
    }
  }

  #run(operation: OperationPlan, args: readonly unknown[]): unknown {
    const method: unknown = Reflect.get(this.implementation, operation.name);
    if (typeof method !== 'function') {
      throw new TypeError(`the implementation of ${this.interface_.name} lacks ${operation.name}`);
    }
    return Reflect.apply(method, this.implementation, args);
  }

  async #settled(result: PromiseLike<unknown>, operation: OperationPlan): Promise<unknown> {
    try {
      return await result;
    } catch (error) {
      throw this.declaredError(error, operation);
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function shortened(error: RpcError): RpcError {
  return new RpcError(error.code, error.message.slice(0, LIMITS.reasonBytes));
}
