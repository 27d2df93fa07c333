/**
 * The cost of things, in one place: how much quota each takes, and from whom. The figures are of
 * the order of Genode's. Those of RAM are what the supervisor and a session's server keep for the
 * thing, rounded up. A component with the default of 100 capabilities still has two thirds of them
 * when it runs.
 */

/** An amount of quota: bytes of RAM, and capabilities. */
export interface Cost {
  readonly ram: number;
  readonly caps: number;
}

/** RAM that is charged for the object of a session at its server. */
const SESSION_RAM = 4096;

/** The costs by what is charged. `docs/configuration.md` has the same table for people. */
export const COSTS = {
  /**
   * A session, unless its interface says otherwise. Its packet streams cost the size of their
   * memory on top.
   */
  session: { ram: SESSION_RAM, caps: 1 },
  /** Sessions of the supervisor's services. None of them costs less than two capabilities. */
  pd: { ram: SESSION_RAM, caps: 6 },
  cpu: { ram: SESSION_RAM, caps: 6 },
  log: { ram: SESSION_RAM, caps: 2 },
  rom: { ram: SESSION_RAM, caps: 3 },
  timer: { ram: SESSION_RAM, caps: 2 },
  trace: { ram: SESSION_RAM, caps: 2 },
  /**
   * A running component, charged to its account: what the supervisor keeps of it, and its place in
   * its process.
   */
  thread: { ram: 64 * 1024, caps: 5 },
  /** The process of a component that has one to itself, on top of the thread. */
  process: { ram: 128 * 1024, caps: 12 },
  /**
   * The `Thread` object of a started component, as long as somebody holds it and can ask what
   * became of the component.
   */
  threadObject: { ram: SESSION_RAM, caps: 1 },
  /** A dataspace, on top of its size. */
  dataspace: { ram: 0, caps: 1 },
} as const satisfies Readonly<Record<string, Cost>>;

/**
 * RAM that a TRACE session pays from its donation: for a policy, on top of its text, and for each
 * subject that it traces or keeps after its death.
 */
export const TRACE_POLICY_RAM = 512;
export const TRACE_SUBJECT_RAM = 1024;

/** The sum of several costs. */
export function sumOf(...costs: readonly Cost[]): Cost {
  return costs.reduce((sum, { ram, caps }) => ({ ram: sum.ram + ram, caps: sum.caps + caps }), {
    ram: 0,
    caps: 0,
  });
}
