/** `ginit trace`: shows what passes in components of a running system, or makes something of it. */
import { accessSync, constants, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ShapeError } from '@ginit/core';
import { visibleText } from '@ginit/core/system';
import { chromeTrace, type TraceEvent } from '@ginit/core/trace';
import { type ControlClient, ControlError, findSystem } from '../control/index.ts';
import type { Output } from '../output.ts';
import { tableLines } from '../running/table-lines.ts';
import { parseTrace, TRACE_HELP, type TraceOptions } from './options.ts';
import { otlpExport, sendSpans } from './otlp.ts';
import { ReceivedTrace } from './received.ts';
import { summaryOf, summaryRows } from './summary.ts';

const USAGE_EXIT_CODE = 2;
const FAILED_EXIT_CODE = 1;
const SEND_MS = 1000;

/** Runs the command; the result is its exit code. */
export async function trace(args: readonly string[], output: Output): Promise<number> {
  const options = parseTrace(args);
  if (options === 'help') {
    await output.text(TRACE_HELP);
    return 0;
  }
  if ('problem' in options) {
    output.say(options.problem);
    output.say('try "ginit trace --help"');
    return USAGE_EXIT_CODE;
  }
  const refused = fileProblem(options.perfetto);
  if (refused !== undefined) {
    output.say(refused);
    return FAILED_EXIT_CODE;
  }
  const found = await findSystem(options.system);
  if ('problem' in found) {
    output.say(found.problem);
    return FAILED_EXIT_CODE;
  }
  try {
    return await new TraceCommand(options, output).run(found.client);
  } catch (error) {
    if (!(error instanceof ControlError || error instanceof ShapeError)) throw error;
    output.say(error.message);
    return FAILED_EXIT_CODE;
  } finally {
    found.client.close();
  }
}

/** Why a file cannot be written. One learns it before the trace, which would be lost otherwise. */
function fileProblem(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    // What is there stays as it is, and nothing new is made, until there is something to write.
    const there = statSync(file, { throwIfNoEntry: false });
    if (there?.isDirectory()) return unwritable(file, 'it is a directory');
    accessSync(there ? file : dirname(file), constants.W_OK);
    return undefined;
  } catch (error) {
    return unwritable(file, error);
  }
}

function unwritable(file: string, error: unknown): string {
  return `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`;
}

class TraceCommand {
  readonly #options: TraceOptions;
  readonly #output: Output;
  readonly #received: ReceivedTrace;
  readonly #colours = process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined;
  #failed = false;

  constructor(options: TraceOptions, output: Output) {
    this.#options = options;
    this.#output = output;
    this.#received = new ReceivedTrace(options.eventsMax);
  }

  async run(client: ControlClient): Promise<number> {
    const { labels, policy, bufferBytes, durationMs, otlp } = this.#options;
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    process.once('SIGINT', abort);
    process.once('SIGTERM', abort);
    const timer = durationMs === undefined ? undefined : setTimeout(abort, durationMs);
    const { system } = client.greeting;
    // What is kept for later is sent later.
    const sending =
      otlp && !this.#keepsAll ? setInterval(() => void this.#send(otlp, system, false), SEND_MS) : undefined;
    try {
      const item = (one: unknown): Promise<void> => this.#take(one, stop);
      await client.ask('trace', { labels, policy, bufferBytes }, { item, signal: stop.signal });
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      clearInterval(sending);
    }
    await this.#finish(system);
    return this.#failed ? FAILED_EXIT_CODE : 0;
  }

  async #take(item: unknown, stop: AbortController): Promise<void> {
    if (this.#output.loss) stop.abort();
    const news = this.#received.take(item);
    if (!news) return;
    if ('problem' in news) {
      this.#output.say(`${visibleText(news.label)} is not traced: ${visibleText(news.problem)}`);
      this.#failed = true;
      return;
    }
    const { label, events, lost } = news;
    if (this.#keepsAll || this.#options.otlp) this.#received.keep(label, events, lost);
    else await this.#show(label, events, lost);
  }

  async #show(label: string, events: readonly TraceEvent[], lost: number): Promise<void> {
    const { json } = this.#options;
    const lines = events.map((event) => (json ? jsonLine(label, event) : this.#line(label, event)));
    if (lost > 0)
      lines.unshift(json ? JSON.stringify({ label, lost }) : `${visibleText(label)}: ${lost} events lost`);
    if (lines.length > 0) await this.#output.text(lines.join('\n'));
  }

  #line(label: string, { timeUs, hook, failed, peer, content, bytes }: TraceEvent): string {
    const colour = (code: number, text: string): string =>
      this.#colours ? `\u001b[${code}m${text}\u001b[0m` : text;
    const seconds = (timeUs / 1_000_000).toFixed(6);
    const far =
      peer === 0 && !hook.startsWith('rpc_')
        ? ''
        : ` ${arrowOf(hook)} ${visibleText(this.#received.nameOf(peer))}`;
    const size = bytes > 0 ? ` (${bytes} bytes)` : '';
    const what = visibleText(new TextDecoder().decode(content));
    return [
      colour(90, seconds),
      colour(36, `[${visibleText(label)}]`),
      colour(33, hook),
      `${failed ? colour(31, `${what} failed`) : what}${far}${colour(90, size)}`,
    ].join(' ');
  }

  async #finish(system: string): Promise<void> {
    const { perfetto, summary, otlp, json } = this.#options;
    if (otlp) await this.#send(otlp, system, true);
    const { components } = this.#received;
    if (perfetto !== undefined) {
      try {
        writeFileSync(perfetto, `${JSON.stringify(chromeTrace(components))}\n`);
      } catch (error) {
        this.#output.say(unwritable(perfetto, error));
        this.#failed = true;
      }
    }
    const lost = components.filter((one) => one.lost > 0);
    for (const one of lost) this.#output.say(`${visibleText(one.label)}: ${one.lost} events lost`);
    if (!summary) return;
    const rows = summaryOf(components);
    await this.#output.text(json ? JSON.stringify(rows) : tableLines(summaryRows(rows)).join('\n'));
  }

  get #keepsAll(): boolean {
    return this.#options.perfetto !== undefined || this.#options.summary;
  }

  async #send(url: URL, system: string, all: boolean): Promise<void> {
    // The monotonic clock of the system is that of this machine.
    const [seconds, nanoseconds] = process.hrtime();
    const epochUs = Date.now() * 1000 - (seconds * 1_000_000 + nanoseconds / 1000);
    const { bodies, calls } = otlpExport(this.#received.components, { epochUs, system }, all);
    if (!this.#keepsAll) this.#received.forget(calls);
    for (const body of bodies) {
      const problem = await sendSpans(url, body);
      if (problem === undefined) continue;
      if (!this.#failed) this.#output.say(`--otlp ${url.href}: ${problem}`);
      this.#failed = true;
      return;
    }
  }
}

function arrowOf(hook: TraceEvent['hook']): string {
  return hook === 'rpc_returned' || hook === 'rpc_dispatch' || hook === 'signal_received' ? '<-' : '->';
}

function jsonLine(label: string, event: TraceEvent): string {
  const { context, content, ...rest } = event;
  const hex = (words: readonly number[]): string =>
    words.map((word) => word.toString(16).padStart(8, '0')).join('');
  return JSON.stringify({
    label,
    ...rest,
    content: new TextDecoder().decode(content),
    ...(context ? { trace: hex(context.trace), span: hex(context.span), parent: hex(context.parent) } : {}),
  });
}
