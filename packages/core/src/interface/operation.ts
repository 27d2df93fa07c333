/**
 * The operations of an interface, ready to be called: each has a key, the hash of its name and of
 * the shapes of its arguments and its result. A call names the operation by its key, so two ends
 * that declare an operation differently (two versions of a package) do not misread each other: to
 * the server the operation does not exist.
 */
import { assert, RpcError } from '../errors.ts';
import { malformed, type MessageReader } from '../message/reader.ts';
import type { MessageWriter } from '../message/writer.ts';
import type { AnyFunction, Interface, Operation } from './interface.ts';
import { ShapeError, type Shape } from './shapes.ts';
import { anyValue, type Wire, wireOf } from './shape.ts';

const ARGUMENT_NAMES = Array.from({ length: 16 }, (_, index) => `argument ${index + 1}`);

function argumentName(index: number): string {
  return ARGUMENT_NAMES[index] ?? `argument ${index + 1}`;
}

/** The interface by which events of a trace travel. */
export const TRACE_SINK = 'TraceSink';
/** The interfaces of what a component and core say to each other on their own channel. */
export const CONTROL_INTERFACES = { component: 'ComponentControl', supervisor: 'SupervisorCalls' } as const;
const UNTRACED: ReadonlySet<string> = new Set([TRACE_SINK, ...Object.values(CONTROL_INTERFACES)]);

/** The most arguments of an operation without shapes. */
const UNSHAPED_ARGUMENTS_MAX = 32;

/** One operation of an interface: its name, and how its calls are written and read. */
export class OperationPlan {
  readonly name: string;
  /** The names of the interface and the operation, for messages. */
  readonly title: string;
  readonly key: number;
  /** Whether its calls appear in no trace: they are between runtimes, not between components. */
  readonly untraced: boolean;
  readonly #shapes: readonly Shape<unknown>[] | undefined;
  readonly #resultShape: Shape<unknown> | undefined;
  readonly #args: readonly Wire<unknown>[] | undefined;
  readonly #result: Wire<unknown>;
  readonly #resultTitle: string;

  constructor(interfaceName: string, name: string, operation: Operation<AnyFunction>) {
    this.name = name;
    this.title = `${interfaceName}.${name}`;
    this.untraced = UNTRACED.has(interfaceName);
    this.#resultTitle = `${this.title} result`;
    this.#shapes = operation.args;
    this.#resultShape = operation.result;
    this.#args = operation.args?.map(wireOf);
    this.#result = operation.result ? wireOf(operation.result) : anyValue;
    const args = this.#args?.map(({ signature }) => signature).join(',') ?? 'values';
    this.key = hashOf(`${name}(${args})${this.#result.signature}`);
  }

  /** Writes the arguments of a call. Throws `ShapeError` if they do not fit. */
  writeArguments(writer: MessageWriter, args: readonly unknown[]): void {
    const wires = this.#args;
    if (!wires) return this.#writeUnshaped(writer, args);
    if (args.length > wires.length) throw new ShapeError('arguments', `at most ${wires.length}`);
    for (let index = 0; index < wires.length; index++) {
      wires[index]?.write(writer, args[index], argumentName(index));
    }
  }

  /** The error that the caller gets if its own arguments could not be written. */
  refusal(error: Error): Error {
    if (!(error instanceof ShapeError)) return error;
    return new RpcError('InvalidArgument', `${this.title}: ${error.message}`);
  }

  /** Reads the arguments of a peer's call. Throws `ShapeError` or `RpcError` `InvalidArgument`. */
  readArguments(reader: MessageReader): unknown[] {
    const args: unknown[] = [];
    const wires = this.#args;
    if (!wires) return this.#readUnshaped(reader);
    for (let index = 0; index < wires.length; index++) {
      args.push(wires[index]?.read(reader, argumentName(index)));
    }
    reader.finish();
    return args;
  }

  /**
   * Checks the arguments of a call within one component. The result is what the implementation
   * gets.
   */
  checkArguments(args: readonly unknown[]): readonly unknown[] {
    const shapes = this.#shapes;
    if (!shapes) return args;
    if (args.length > shapes.length) throw new ShapeError('arguments', `at most ${shapes.length}`);
    return shapes.map((shape, index) => shape(args[index], argumentName(index)));
  }

  /** Writes the result of an implementation. Throws `ShapeError` if it does not fit. */
  writeResult(writer: MessageWriter, value: unknown): void {
    this.#result.write(writer, value, this.#resultTitle);
  }

  /** Reads a peer's answer. Throws `ShapeError` or `RpcError` `InvalidArgument`. */
  readResult(reader: MessageReader): unknown {
    const value = this.#result.read(reader, this.#resultTitle);
    reader.finish();
    return value;
  }

  /** Checks the result of a call within a component. */
  checkResult(value: unknown): unknown {
    return this.#resultShape ? this.#resultShape(value, this.#resultTitle) : value;
  }

  #writeUnshaped(writer: MessageWriter, args: readonly unknown[]): void {
    if (args.length > UNSHAPED_ARGUMENTS_MAX) {
      throw new ShapeError('arguments', `at most ${UNSHAPED_ARGUMENTS_MAX}`);
    }
    writer.count(args.length);
    for (const argument of args) anyValue.write(writer, argument, '');
  }

  #readUnshaped(reader: MessageReader): unknown[] {
    const count = reader.count();
    if (count > UNSHAPED_ARGUMENTS_MAX) malformed();
    const args: unknown[] = [];
    for (let index = 0; index < count; index++) args.push(anyValue.read(reader, ''));
    reader.finish();
    return args;
  }
}

/**
 * FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv). Collisions within an interface are
 * found at once.
 */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/** The operations of one interface. */
export interface OperationPlans {
  readonly byKey: ReadonlyMap<number, OperationPlan>;
  readonly byName: ReadonlyMap<string, OperationPlan>;
}

const known = new WeakMap<Interface, OperationPlans>();
let titles: Map<number, string> | undefined;

/**
 * From now on the titles of operations are noted in `into` by their key, for people who read
 * frames. Several operations may have the same key; one of them is kept.
 */
export function recordTitles(into: Map<number, string>): void {
  titles = into;
}

/** The operations of an interface. They are made when the interface is first used. */
export function plansOf(interface_: Interface): OperationPlans {
  const made = known.get(interface_);
  if (made) return made;
  const byKey = new Map<number, OperationPlan>();
  const byName = new Map<string, OperationPlan>();
  for (const [name, member] of Object.entries(interface_.members)) {
    if (member.kind !== 'rpc') continue;
    const plan = new OperationPlan(interface_.name, name, member);
    assert(!byKey.has(plan.key), `two operations of ${interface_.name} have one key: rename ${name}`);
    byKey.set(plan.key, plan);
    titles?.set(plan.key, plan.title);
    byName.set(name, plan);
  }
  const plans = { byKey, byName };
  known.set(interface_, plans);
  return plans;
}
