/** Reads XML text into configuration trees and documents, and writes it from them. */
export { readXml, readXmlDocument } from './read.ts';
export { writeXml } from './write.ts';
export { writeXmlDocument } from './write-document.ts';
