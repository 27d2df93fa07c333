/**
 * Capabilities of the whole system, also of a simulated one. Init holds a capability of core's for each session of every
 * child, and core's cheapest session costs two: so the table between the two, of 65,536, is never full, whoever opens how
 * many.
 */
export const ROOT_CAPS = 120_000;
