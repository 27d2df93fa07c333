/**
 * What things cost, in one place: how much of whose quota they take. The figures are of Genode's order; those of RAM are
 * what core and a session's server keep for it, rounded up. A component with the default of 100 capabilities has two thirds
 * of them left when it runs.
 */

/** An amount of quota: bytes of RAM, and capabilities. */
export interface Cost {
  readonly ram: number;
  readonly caps: number;
}

/** RAM that is charged for the object of a session at its server. */
const SESSION_RAM = 4096;

/** Costs by what is charged. `docs/configuration.md` has the same table for people. */
export const COSTS = {
  /** A session, unless its interface says otherwise. Packet streams come on top, by the size of their memory. */
  session: { ram: SESSION_RAM, caps: 1 },
  /** Sessions of core's own services. No session of core's is cheaper than two capabilities. */
  pd: { ram: SESSION_RAM, caps: 6 },
  cpu: { ram: SESSION_RAM, caps: 6 },
  log: { ram: SESSION_RAM, caps: 2 },
  rom: { ram: SESSION_RAM, caps: 3 },
  timer: { ram: SESSION_RAM, caps: 2 },
  /** A running component, on the account that it runs on: what core keeps of it, and its place in its process. */
  thread: { ram: 64 * 1024, caps: 5 },
  /** The process of a component that has one to itself, on top of the thread. */
  process: { ram: 128 * 1024, caps: 12 },
  /** The object that stands for it, as long as somebody can ask what became of it. */
  threadObject: { ram: SESSION_RAM, caps: 1 },
  /** A dataspace, on top of its size. */
  dataspace: { ram: 0, caps: 1 },
} as const satisfies Readonly<Record<string, Cost>>;

/** Several costs together. */
export function sumOf(...costs: readonly Cost[]): Cost {
  return costs.reduce((sum, { ram, caps }) => ({ ram: sum.ram + ram, caps: sum.caps + caps }), {
    ram: 0,
    caps: 0,
  });
}
