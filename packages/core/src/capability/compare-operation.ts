/**
 * The operation by which the client's runtime asks the object of a session on another machine
 * whether both ends declare the same: there, code of two makers and of two versions meets. No
 * interface can declare it. Each operation goes by its name and its key, which is a hash of its
 * shapes. One that only one end knows is no difference: the client may never call it.
 */
import { rpc } from '../interface/interface.ts';
import type { Interface } from '../interface/interface.ts';
import { OperationPlan, type OperationPlans, plansOf } from '../interface/operation.ts';
import { list, record, type ShapeType, text, u32 } from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';

const name = text(LIMITS.operationNameBytes);
const declarations = list(record({ name, key: u32 }), LIMITS.operationsCompared);
const names = list(name, LIMITS.operationsCompared);
type Declarations = ShapeType<typeof declarations>;

/** Answers the names of operations that the two ends declare with different shapes. */
export const COMPARE_OPERATION = new OperationPlan(
  'Session',
  '$compare',
  rpc<(declared: Declarations) => string[]>({
    args: [declarations],
    result: names,
  }),
);

/** The answer to it. */
export const differing = (answer: unknown): string[] => names(answer, 'the answer');

/** The operations of an interface as this end declares them, as far as they can be compared. */
export function declarationsOf(interface_: Interface): Declarations {
  const all = Array.from(plansOf(interface_).byName.values(), ({ name: own, key }) => ({ name: own, key }));
  const comparable = all.filter(({ name: own }) => Buffer.byteLength(own) <= LIMITS.operationNameBytes);
  return comparable.slice(0, LIMITS.operationsCompared);
}

/** The names among the other end's declarations that this end declares otherwise. */
export function differences({ byName }: OperationPlans, declared: unknown): string[] {
  const others = declarations(declared, 'declarations').filter(
    ({ name: theirs, key }) => (byName.get(theirs)?.key ?? key) !== key,
  );
  return others.map(({ name: theirs }) => theirs);
}
