/**
 * An object that this component lets others call: its interface, the implementation behind it, and whether it has
 * been revoked. What its implementation throws is turned into a declared code before it leaves.
 */
import { isRuntimeErrorCode, RpcError } from '../errors.ts';
import type { Interface } from '../interface/interface.ts';
import { type OperationPlan, type OperationPlans, plansOf } from '../interface/operation.ts';
import { ShapeError } from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';
import { OPEN_OPERATION, type StreamEnds } from './open-operation.ts';

/** In place of the implementation of a revoked object. */
const NOTHING = {};

/** An object with the operations of an interface, as the runtime sees it. */
export class ExportedObject {
  readonly kind = 'object';
  readonly interface_: Interface;
  #implementation: object;
  readonly #plans: OperationPlans;
  readonly #report: (error: unknown) => void;
  #revoked = false;
  /** Tables of channels that it is in. */
  tables = 0;
  /** Called when it is in none any more. */
  unheld: (() => void) | undefined;
  /** Whether somebody else has paid for it: a session's client. */
  readonly paid: boolean;
  /** Calls answered or under way since the object was made. */
  served = 0;
  /** Of a session object: hands out its streams, as the answer to `OPEN_OPERATION`. */
  open: (() => StreamEnds) | undefined;

  /** `report` takes undeclared errors of the implementation: they are logged here and hidden from the caller. */
  constructor(interface_: Interface, implementation: object, report: (error: unknown) => void, paid = false) {
    this.paid = paid;
    this.interface_ = interface_;
    this.#implementation = implementation;
    this.#plans = plansOf(interface_);
    this.#report = report;
  }

  /** What serves the calls; nothing of it is left once the object is revoked. */
  get implementation(): object {
    return this.#implementation;
  }

  get revoked(): boolean {
    return this.#revoked;
  }

  /** Later calls end with `Revoked`; those under way still answer. Who still holds the object keeps nothing behind it alive. */
  revoke(): void {
    this.#revoked = true;
    this.#implementation = NOTHING;
  }

  /**
   * The operation with the given key; `caller` is how the caller declares it, if that is known here. Throws `Revoked` or
   * `UnknownOperation`.
   */
  operation(key: number, caller?: OperationPlan): OperationPlan {
    if (this.#revoked) throw new RpcError('Revoked', `${this.interface_.name}: the object was revoked`);
    const plan = this.#plans.byKey.get(key);
    if (plan) return plan;
    if (key === OPEN_OPERATION.key && this.open) return OPEN_OPERATION;
    const { name } = this.interface_;
    const text = `${name} has no operation of this name with these shapes; do both ends declare the same?`;
    throw new RpcError('UnknownOperation', caller ? `${caller.title}: ${text}` : text);
  }

  /** Runs an operation with arguments that were checked: the result, or a promise of it. Throws or rejects with `RpcError`. */
  invoke(operation: OperationPlan, args: readonly unknown[]): unknown {
    this.served++;
    try {
      const result = operation === OPEN_OPERATION ? this.open?.() : this.#run(operation, args);
      return isThenable(result) ? this.#settled(result, operation) : result;
    } catch (error) {
      throw this.declaredError(error, operation);
    }
  }

  /** A call within the component that owns the object: its result, or a promise of it. */
  callLocally(operation: OperationPlan, args: readonly unknown[]): unknown {
    const plan = this.operation(operation.key, operation);
    const result = this.invoke(plan, this.#checked(plan, args));
    if (result instanceof Promise) return result.then((value) => this.#checkedResult(plan, value));
    return this.#checkedResult(plan, result);
  }

  /** What a caller is told of an error: it is reported here unless it is declared. */
  declaredError(error: unknown, operation: OperationPlan): RpcError {
    if (error instanceof ShapeError) {
      return new RpcError('InvalidArgument', `${operation.title}: ${error.message}`);
    }
    if (error instanceof RpcError && this.interface_.errors.includes(error.code)) return shortened(error);
    // PeerGone of a server behind this one would read as if this one were gone.
    if (error instanceof RpcError && isRuntimeErrorCode(error.code) && error.code !== 'PeerGone') {
      return shortened(error);
    }
    return this.internalError(error, operation);
  }

  /** The object's own fault: the caller learns no more than that. */
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
