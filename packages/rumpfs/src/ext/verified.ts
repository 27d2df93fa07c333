/** The kinds of structures as which the content of a buffer may have been checked. */
export const VERIFIED = { bitmap: 1, extents: 2, directory: 3, indexNode: 4, attributes: 5 } as const;
