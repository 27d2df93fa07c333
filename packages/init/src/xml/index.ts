/** XML text to configuration trees and back. */
export { readXml } from './read.ts';
export { writeXml } from './write.ts';
