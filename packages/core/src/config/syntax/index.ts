/** The syntaxes of a config, chosen by content. */
export { readDocument, readNode, type ReadOptions, type Syntax, syntaxOf } from './read.ts';
export { runtimeDifference } from './difference.ts';
export { hidProblems, readXml, writeDocument, writeHid, writeXml } from './write.ts';
