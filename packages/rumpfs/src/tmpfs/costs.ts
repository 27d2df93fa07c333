/** What nodes and names take of the memory beside their texts. */
export const NODE_COST_BYTES = 512;
export const NAME_COST_BYTES = 128;
