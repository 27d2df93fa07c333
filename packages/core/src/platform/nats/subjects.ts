/** The subjects of a cluster on the bus, and who may use which. See docs/cluster.md. */

const CLUSTER_NAME = /^[A-Za-z0-9_-]{1,32}$/;

/** Whether a cluster can have this name. It becomes a word of subjects. */
export const isClusterName = (name: string): boolean => CLUSTER_NAME.test(name);

/** The subject by which `sender` reaches `receiver`; both are public keys. */
export const subjectTo = (cluster: string, receiver: string, sender: string): string =>
  `ginit.${cluster}.to.${receiver}.${sender}`;

/** The pattern of everything that is sent to `receiver`. */
export const inboxOf = (cluster: string, receiver: string): string => `ginit.${cluster}.to.${receiver}.*`;

/** The sender that the last word of a subject names. */
export const senderOf = (subject: string): string => subject.slice(subject.lastIndexOf('.') + 1);

/** The receiver that a subject names; `undefined` if it is not one of this sender's. */
export function receiverOf(cluster: string, subject: string): string | undefined {
  const [first, name, to, receiver] = subject.split('.');
  return first === 'ginit' && name === cluster && to === 'to' ? receiver : undefined;
}

/** What one user of the bus may do: patterns of subjects. */
export interface BusPermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** All that a node of a cluster needs. */
export const permissionsOf = (cluster: string, publicKey: string): BusPermissions => ({
  publish: [`ginit.${cluster}.to.*.${publicKey}`],
  subscribe: [inboxOf(cluster, publicKey)],
});
