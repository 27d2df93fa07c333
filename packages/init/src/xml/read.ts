import { SaxesParser } from 'saxes';
import {
  type ConfigAttribute,
  CONFIG_LIMITS,
  ConfigError,
  ConfigNode,
  type Position,
  validName,
} from '@ginit/core/config';
import { closingTag, faultOf, firstInk } from './faults.ts';
import { Places } from './places.ts';

/*
 * Reads XML text into a configuration tree. The scanner is saxes. It is given the whole text at
 * once, so that its position is an offset into that text and the place of every element, attribute
 * and text can be found from there. A DOCTYPE is refused, so there are no entities but the five of
 * XML and numbers, and nothing that could expand or reach outside. Comments and processing
 * instructions are skipped. The first fault ends the reading, because the rest of the text could
 * not be trusted.
 */

/**
 * Reads an XML text, given as a string or as UTF-8 bytes; `file` is the name for its places. Throws
 * a `ConfigError` for the first thing that is not well-formed or goes over a bound of
 * `CONFIG_LIMITS`.
 */
export function readXml(source: string | Uint8Array, file: string): ConfigNode {
  const sizeBytes = source.length;
  if (sizeBytes > CONFIG_LIMITS.sizeBytes) {
    const text = `the text is larger than ${CONFIG_LIMITS.sizeBytes} bytes`;
    throw new ConfigError(text, { file, line: 1, column: 1 });
  }
  const text = typeof source === 'string' ? source : decoded(source, file);
  return new XmlReader(text.startsWith('\ufeff') ? text.slice(1) : text, file).read();
}

function decoded(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const lenient = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    // The replacement character stands where decoding failed. A text that contains one on purpose
    // is too rare to matter.
    throw new ConfigError('the text is not UTF-8', new Places(lenient, file).at(lenient.indexOf('\ufffd')));
  }
}

interface OpenElement {
  readonly type: string;
  readonly start: number;
  readonly attributes: Map<string, ConfigAttribute>;
  readonly children: ConfigNode[];
  text: string;
  textStart: number | undefined;
}

class XmlReader {
  private readonly source: string;
  private readonly places: Places;
  private readonly parser = new SaxesParser({
    xmlns: false,
    position: false,
    forceXMLVersion: true,
    defaultXMLVersion: '1.0',
  });
  private readonly open: OpenElement[] = [];
  private tag: { type: string; start: number; partEnd: number; element: OpenElement } | undefined;
  private markupEnd = 0;
  private nodes = 0;
  private root: ConfigNode | undefined;

  constructor(source: string, file: string) {
    this.source = source;
    this.places = new Places(source, file);
  }

  read(): ConfigNode {
    const { parser } = this;
    parser.on('error', (error) => this.fault(error.message));
    parser.on('doctype', () =>
      this.fail('a DOCTYPE is not accepted', this.source.indexOf('<!DOCTYPE', this.markupEnd)),
    );
    parser.on('xmldecl', ({ encoding }) => this.declaration(encoding));
    parser.on('opentagstart', ({ name }) => this.tagStart(name));
    parser.on('attribute', ({ name, value }) => this.attribute(name, value));
    parser.on('opentag', () => this.tagEnd());
    parser.on('closetag', ({ name, isSelfClosing }) => this.elementEnd(name, isSelfClosing));
    parser.on('text', (text) => this.text(text, this.markupEnd));
    parser.on('cdata', (text) => this.cdata(text));
    // The comment is reported before its ">".
    parser.on('comment', () => this.markup(1));
    parser.on('processinginstruction', () => this.markup(0));
    // Half a surrogate pair is no character, and the scanner does not expect one.
    const half = this.source.search(/\p{Surrogate}/u);
    if (half !== -1) this.fail('a character is cut in half: the text is not Unicode', half);
    parser.write(this.source);
    parser.close();
    return this.root ?? this.fail('there is no element in this file', 0);
  }

  private declaration(encoding: string | undefined): void {
    this.markup(0);
    if (encoding === undefined || /^(?:utf-8|us-ascii)$/i.test(encoding)) return;
    this.fail(`encoding "${encoding}" is not known: a configuration is UTF-8`, 0);
  }

  private tagStart(type: string): void {
    // The scanner has consumed the character behind the name, which may itself be a wrong "<".
    const start = this.source.lastIndexOf('<', this.parser.position - 2);
    if (!validName(type)) {
      const rule = `at most ${CONFIG_LIMITS.nameLength} ASCII letters, digits, "_", "-", ".", ":"`;
      this.fail(`"${type.slice(0, CONFIG_LIMITS.nameLength)}" cannot name an element (${rule})`, start);
    }
    this.nodes++;
    if (this.nodes > CONFIG_LIMITS.nodes) this.fail(`more than ${CONFIG_LIMITS.nodes} elements`, start);
    if (this.open.length >= CONFIG_LIMITS.depth)
      this.fail(`nested deeper than ${CONFIG_LIMITS.depth}`, start);
    const element = { type, start, attributes: new Map(), children: [], text: '', textStart: undefined };
    this.tag = { type, start, partEnd: start + 1 + type.length, element };
  }

  private attribute(name: string, value: string): void {
    const { tag } = this;
    if (tag === undefined) throw new Error('attribute outside of a tag');
    const { attributes } = tag.element;
    const start = firstInk(this.source, tag.partEnd);
    const shortName = name.slice(0, CONFIG_LIMITS.nameLength);
    if (!validName(name)) this.fail(`"${shortName}" cannot name an attribute`, start);
    if (attributes.has(name)) this.fail(`attribute "${name}" of <${tag.type}> is given twice`, start);
    if (attributes.size >= CONFIG_LIMITS.attributes) {
      this.fail(`more than ${CONFIG_LIMITS.attributes} attributes`, start);
    }
    attributes.set(name, { value, position: this.places.at(start) });
    tag.partEnd = this.parser.position;
  }

  private tagEnd(): void {
    if (this.tag === undefined) throw new Error('end of no tag');
    this.open.push(this.tag.element);
    this.tag = undefined;
    this.markup(0);
  }

  private elementEnd(type: string, isSelfClosing: boolean): void {
    const element = this.open.pop();
    if (element === undefined || element.type !== type) throw new Error('elements and tags differ');
    if (!isSelfClosing) this.checkClosingTag(element);
    const position = this.places.at(element.start);
    const { attributes, children, text, textStart } = element;
    const textPosition = textStart === undefined ? position : this.places.at(textStart);
    const node = new ConfigNode(type, { position, attributes, children, text, textPosition });
    const parent = this.open.at(-1);
    if (parent === undefined) this.root = node;
    else parent.children.push(node);
    this.markup(0);
  }

  /** The scanner closes the innermost element for any closing tag and complains afterwards. */
  private checkClosingTag(element: OpenElement): void {
    const offset = this.source.lastIndexOf('</', this.parser.position - 1);
    const found = closingTag(this.source, offset).replace(/\s+>$/, '>');
    if (found === `</${element.type}>`) return;
    const { line, column }: Position = this.places.at(element.start);
    this.fail(`${found} closes <${element.type}>, which was opened at ${line}:${column}`, offset);
  }

  private text(text: string, start: number): void {
    const element = this.open.at(-1);
    if (element === undefined) return;
    if (element.textStart === undefined && text.trim() !== '')
      element.textStart = firstInk(this.source, start);
    element.text += text;
  }

  private cdata(text: string): void {
    const lead = '<![CDATA[';
    this.text(text, this.source.indexOf(lead, this.markupEnd) + lead.length);
    this.markup(0);
  }

  /** Notes that a piece of markup ended here, or `more` characters further on. */
  private markup(more: number): void {
    this.markupEnd = this.parser.position + more;
  }

  private fault(rule: string): never {
    const { source, markupEnd, tag, open, parser } = this;
    const fault = faultOf(rule, { source, offset: parser.position, markupEnd, tag, open: open.at(-1) });
    return this.fail(fault.text, fault.offset);
  }

  private fail(text: string, offset: number): never {
    throw new ConfigError(text, this.places.at(offset));
  }
}
