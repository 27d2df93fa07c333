import { SaxesParser } from 'saxes';
import type { DocumentNode } from '../document.ts';
import { ConfigError, type Position } from '../error.ts';
import { CONFIG_LIMITS, validName } from '../limits.ts';
import { type ConfigAttribute, ConfigNode } from '../node.ts';
import { Places } from '../places.ts';
import { decodedText } from '../text.ts';
import { closingTag, faultOf, firstInk } from './faults.ts';
import { Recorder } from './recorder.ts';

/*
 * Reads XML text into a configuration tree. The scanner is saxes. It is given the whole text at
 * once, so that its position is an offset into that text and the place of every element, attribute
 * and text can be found from there. A DOCTYPE is refused, so there are no entities but the five of
 * XML and numbers, and nothing that could expand or reach outside. Comments and processing
 * instructions are skipped, unless the whole document is asked for. The first fault ends the
 * reading, because the rest of the text could not be trusted.
 */

/**
 * Attributes that tell an editor which schema a text keeps to. They are about the text, so the tree
 * does not have them; on the outermost element only.
 */
const ABOUT_THE_TEXT: ReadonlySet<string> = new Set(['xmlns:xsi', 'xsi:noNamespaceSchemaLocation']);

/**
 * Reads an XML text, given as a string or as UTF-8 bytes; `file` is the name for its places. Throws
 * a `ConfigError` for the first thing that is not well-formed or goes over a bound of
 * `CONFIG_LIMITS`.
 */
export function readXml(source: string | Uint8Array, file: string): ConfigNode {
  const text = textOf(source, file);
  return new XmlReader(text, new Places(text, file)).read();
}

/**
 * Reads the same with its comments. Elements in a comment of their own become disabled nodes if
 * `canDisable` says so, or else lines of a comment.
 */
export function readXmlDocument(
  source: string | Uint8Array,
  file: string,
  canDisable: (node: DocumentNode) => boolean,
): DocumentNode {
  const text = textOf(source, file);
  const places = new Places(text, file);
  const disabledNodes = (comment: string, offset: number): DocumentNode[] => {
    const nodes = elementsIn(comment, (at) => places.at(offset + at));
    return nodes.every(canDisable) ? nodes : [];
  };
  const recorder = new Recorder(text, places, disabledNodes);
  new XmlReader(text, places, recorder).read();
  return recorder.document;
}

/** The elements of which a comment consists; empty if there is anything else in it. */
function elementsIn(comment: string, placeOf: (offset: number) => Position): DocumentNode[] {
  if (!/^\s*<[^!?]/.test(comment)) return [];
  const [before, after] = ['<list>', '</list>'];
  const text = before + comment + after;
  const places = { at: (offset: number) => placeOf(offset - before.length) };
  const recorder = new Recorder(text, places, () => []);
  try {
    new XmlReader(text, places, recorder).read();
  } catch (error) {
    if (error instanceof ConfigError) return [];
    throw error;
  }
  const { content } = recorder.document;
  const nodes = content.filter((part) => part.kind === 'node');
  return nodes.length === content.length ? nodes.map(disabledNode) : [];
}

function disabledNode(node: DocumentNode): DocumentNode {
  return { ...node, disabled: true };
}

function textOf(source: string | Uint8Array, file: string): string {
  const text = decodedText(source, file);
  return text.startsWith('\ufeff') ? text.slice(1) : text;
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
  private readonly places: Pick<Places, 'at'>;
  private readonly recorder: Recorder | undefined;
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

  /** With a recorder the document is recorded, too. */
  constructor(source: string, places: Pick<Places, 'at'>, recorder?: Recorder) {
    this.source = source;
    this.places = places;
    this.recorder = recorder;
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
    parser.on('text', (text) => this.text(text, this.markupEnd, false));
    parser.on('cdata', (text) => this.cdata(text));
    // The comment is reported before its ">".
    parser.on('comment', (comment) => {
      this.recorder?.comment(comment, this.parser.position + 1);
      this.markup(1);
    });
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
    if (this.open.length > 0 || !ABOUT_THE_TEXT.has(name))
      attributes.set(name, { value, position: this.places.at(start) });
    tag.partEnd = this.parser.position;
  }

  private tagEnd(): void {
    if (this.tag === undefined) throw new Error('end of no tag');
    this.open.push(this.tag.element);
    this.recorder?.open(this.tag.element, this.parser.position);
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
    this.recorder?.close(this.parser.position);
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

  private text(text: string, start: number, isExact: boolean): void {
    const element = this.open.at(-1);
    if (element === undefined) return;
    if (element.textStart === undefined && text.trim() !== '')
      element.textStart = firstInk(this.source, start);
    element.text += text;
    this.recorder?.text(text, start, isExact);
  }

  private cdata(text: string): void {
    const lead = '<![CDATA[';
    this.text(text, this.source.indexOf(lead, this.markupEnd) + lead.length, true);
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
