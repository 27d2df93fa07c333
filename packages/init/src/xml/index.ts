/** Reads XML text into configuration trees and writes it from them. */
export { readXml } from './read.ts';
export { writeXml } from './write.ts';
