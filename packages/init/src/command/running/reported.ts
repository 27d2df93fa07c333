/**
 * What `ginit top` shows of the reports of components. It knows nothing of what a report means: it
 * shows the attributes of its root and of the nodes right below, and by how much each whole number
 * has changed per second, which makes a rate of every counter.
 */
import { list, optional, record, text } from '@ginit/core';
import { ConfigError, ConfigNode, readNode } from '@ginit/core/config';
import { linesOf, splitLabel, visibleText } from '@ginit/core/system';

const WORDS = 4096;
const CONTENT_CHARACTERS_MAX = 2 ** 24;
const REPORTS_MAX = 65_536;

const reportsAnswer = record({
  reports: list(record({ label: text(WORDS), content: optional(text(CONTENT_CHARACTERS_MAX)) }), REPORTS_MAX),
});

/** A report as it stands: a tree, or a text that is no tree; neither if it is too large to show. */
export interface Reported {
  /** The label of the session: the component's, and the name of the report. */
  readonly label: string;
  readonly state?: ConfigNode;
  readonly text?: string;
}

/** The reports of a system at a time. */
export interface ReportedStates {
  readonly atMs: number;
  readonly reports: readonly Reported[];
}

/** Takes the answer to `reports`, which comes from outside. */
export function reportedStates(answer: unknown, atMs: number): ReportedStates {
  const reports = reportsAnswer(answer, 'reports').reports.map(({ label, content }): Reported => {
    if (content === undefined) return { label };
    try {
      return { label, state: readNode(content, { name: label, relaxed: true }) };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return { label, text: content };
    }
  });
  return { atMs, reports: reports.toSorted((a, b) => (a.label < b.label ? -1 : 1)) };
}

/** A report as JSON: of the component that has made it, under its own name. */
export interface ReportedLine {
  readonly name: string;
  readonly state?: StateLine;
  readonly text?: string;
}
interface StateLine {
  readonly type: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly StateLine[];
}

/** Puts the reports of each component behind what it does; labels are those of components. */
export function withReports<Row extends { readonly label: string }>(
  rows: readonly Row[],
  { reports }: ReportedStates,
): (Row & { readonly reports: readonly ReportedLine[] })[] {
  return rows.map((row) => {
    const own = reports.filter(({ label }) => splitLabel(label).prefix === row.label);
    return { ...row, reports: own.map(lineOf) };
  });
}

function lineOf({ label, state, text: content }: Reported): ReportedLine {
  const name = splitLabel(label).last;
  if (state) return { name, state: stateLine(state) };
  return content === undefined ? { name } : { name, text: content };
}

function stateLine({ type, attributes, children }: ConfigNode): StateLine {
  const values = Array.from(attributes, ([name, { value }]): [string, string] => [name, value]);
  return { type, attributes: Object.fromEntries(values), children: children.map(stateLine) };
}

/** Nodes below the root of a report that are shown, and characters of a value. */
const CHILDREN_SHOWN = 8;
const VALUE_CHARACTERS_SHOWN = 60;
const TOO_LARGE = 'too large to show here (ginit report)';
const INDENT = '  ';
const GAP = '  ';

/**
 * The lines that show the reports, none wider than `width` unless a single value is. Numbers that
 * are other than in `before` have their change per second behind them.
 */
export function reportedLines(
  before: ReportedStates | undefined,
  now: ReportedStates,
  width: number,
): string[] {
  const earlier = new Map(before?.reports.map((one) => [one.label, one.state]));
  const seconds = before ? Math.max(1, now.atMs - before.atMs) / 1000 : undefined;
  return now.reports.flatMap(({ label, state, text: content }) => {
    const heading = ['', visibleText(label)];
    if (!state) {
      const [first = ''] = linesOf(content ?? '');
      return [...heading, INDENT + (content === undefined ? TOO_LARGE : shownValue(first))];
    }
    const was = earlier.get(label);
    const shown = state.children.slice(0, CHILDREN_SHOWN);
    const below = shown.flatMap((child, index) => {
      const words = [child.type, ...attributeWords(child, was && sameChild(was, child, index), seconds)];
      return wrapped(words, INDENT.repeat(2), width);
    });
    const rest = state.children.length - shown.length;
    return [
      ...heading,
      ...wrapped(attributeWords(state, was, seconds), INDENT, width),
      ...below,
      ...(rest === 0 ? [] : [`${INDENT.repeat(2)}and ${rest} more`]),
    ];
  });
}

/** What tells a node from others of its type, where there is such a thing. */
const NAMES = ['label', 'name', 'id'];

/** The node that was the same one in an earlier report. */
function sameChild(was: ConfigNode, child: ConfigNode, index: number): ConfigNode | undefined {
  const key = NAMES.find((name) => child.has(name));
  if (key === undefined) return was.children[index];
  return was.childrenOf(child.type).find((one) => one.value(key) === child.value(key));
}

function attributeWords(
  node: ConfigNode,
  was: ConfigNode | undefined,
  seconds: number | undefined,
): string[] {
  return Array.from(node.attributes, ([name, { value }]) => {
    const change = seconds === undefined ? undefined : changeOf(was?.value(name), value);
    const perSecond = change === undefined || seconds === undefined ? '' : ` (${rate(change / seconds)}/s)`;
    return `${name} ${shownValue(value)}${perSecond}`;
  });
}

const WHOLE_NUMBER = /^\d{1,15}$/;

function changeOf(was: string | undefined, value: string): number | undefined {
  if (was === undefined || was === value || !WHOLE_NUMBER.test(was) || !WHOLE_NUMBER.test(value))
    return undefined;
  return Number(value) - Number(was);
}

function rate(perSecond: number): string {
  const digits = Math.abs(perSecond) >= 100 ? 0 : 1;
  return `${perSecond > 0 ? '+' : ''}${perSecond.toFixed(digits)}`;
}

function shownValue(value: string): string {
  const cut = value.length > VALUE_CHARACTERS_SHOWN ? `${value.slice(0, VALUE_CHARACTERS_SHOWN)}…` : value;
  return /^[^\s"]+$/.test(cut) ? visibleText(cut) : `"${visibleText(cut)}"`;
}

function wrapped(words: readonly string[], indent: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    if (line !== '' && indent.length + line.length + GAP.length + word.length > width) {
      lines.push(indent + line);
      line = '';
    }
    line = line === '' ? word : line + GAP + word;
  }
  return line === '' ? lines : [...lines, indent + line];
}
