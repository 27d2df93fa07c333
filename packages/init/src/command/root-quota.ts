/**
 * The capability quota of the whole system, also of a simulated one. Init holds a capability with
 * the supervisor for each session of every child, and the supervisor's cheapest session costs two.
 * So the capability table between the two, of 65,536 entries, is never full, however many sessions
 * are opened.
 */
export const ROOT_CAPS = 120_000;
