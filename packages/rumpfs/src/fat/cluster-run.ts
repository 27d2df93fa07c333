/** Clusters of a file that lie side by side. Filled in by the callee. */
export class ClusterRun {
  cluster = 0;
  /** 0 where the chain has ended. */
  count = 0;
}

/** No clusters. */
export const CLUSTER_RUN_NONE: Readonly<ClusterRun> = { cluster: 0, count: 0 };
