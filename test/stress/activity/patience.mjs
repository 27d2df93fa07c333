/**
 * How long a component waits for others. Where some run on other machines, whoever opens a session
 * waits for the machine of its server to come back, for as long as it likes; these give up soon. A
 * walk that meets lost machines on its way takes a few leases.
 */
const LATE_S = 25;
const CLUSTER_LATE_S = 90;
const CLUSTER_OPEN_TIMEOUT_MS = 4000;

/**
 * `lateS` is the bound of any call; `openTimeoutMs` that of opening a session, if there is one.
 */
export function patienceOf(config) {
  return config.node.value('machines') === 'yes'
    ? { lateS: CLUSTER_LATE_S, openTimeoutMs: CLUSTER_OPEN_TIMEOUT_MS }
    : { lateS: LATE_S, openTimeoutMs: undefined };
}
