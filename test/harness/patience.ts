/**
 * How long tests and the harness wait for something that does come, on any machine. The bounds only
 * end tests that hang. Runs of the long tests have wider ones: they do more in a test, and are
 * often run beside other work.
 */
const WIDER = process.env['GINIT_LONG'] === undefined ? 1 : 5;

/** The bound of a test in milliseconds, unless it says another one. */
export const TEST_TIMEOUT_MS = 60_000 * WIDER;
/** The bound of a run of a program within a test in milliseconds: the test can still report it. */
export const RUN_TIMEOUT_MS = 50_000 * WIDER;
