/**
 * `ginit help COMPONENT`: shows which services a component provides and needs, and which attributes
 * its `<config>` understands.
 */
import { describe } from '@ginit/core/config';
import { visibleText } from '@ginit/core/system';
import { type ManifestAnswer, ManifestReader } from '@ginit/core/supervisor';
import { type ManifestFacts, manifestFactsFromData } from '../check/index.ts';
import { Binaries } from './binaries.ts';
import { ComponentImports } from './component-imports.ts';
import { stockManifest } from './stock.ts';

/**
 * The text, or the reason why there is none; and why the manifest was read without a jail, if it
 * was.
 */
export type ComponentHelp = ({ readonly text: string } | { readonly problem: string }) & {
  readonly lack?: string | undefined;
};

/** The help text of a component. Paths are relative to the current directory. */
export async function componentHelp(name: string): Promise<ComponentHelp> {
  const found = await componentFacts(name);
  return 'problem' in found ? found : { text: describeFacts(name, found.facts), lack: found.lack };
}

/**
 * What a component's manifest says, or why it cannot be read; with `lack` as in `ComponentHelp`.
 */
export async function componentFacts(
  name: string,
): Promise<
  ({ readonly facts: ManifestFacts } | { readonly problem: string }) & { readonly lack?: string | undefined }
> {
  const found = new Binaries('.').find(name);
  if ('problem' in found) return found;
  const stock = stockManifest(name);
  if (stock) return factsFrom(name, stock);
  const files = new ComponentImports('.').readable(found.moduleUrl);
  const reader = new ManifestReader(1);
  const answers = await reader.read([{ moduleUrl: found.moduleUrl, files }]);
  return { ...factsFrom(name, answers.get(found.moduleUrl)), lack: reader.lack };
}

function factsFrom(
  name: string,
  answer: ManifestAnswer | undefined,
): { readonly facts: ManifestFacts } | { readonly problem: string } {
  if (!answer || 'problem' in answer) {
    return { problem: `component "${name}" cannot be read: ${answer?.problem ?? 'no answer'}` };
  }
  try {
    return { facts: manifestFactsFromData(answer.manifest) };
  } catch (error) {
    return { problem: `component "${name}": ${error instanceof Error ? error.message : String(error)}` };
  }
}

function describeFacts(name: string, facts: ManifestFacts): string {
  const { provides, requires, mayRequire = [], host, mayHost = [], configSchema } = facts;
  const row = (title: string, list: readonly string[]): string[] =>
    list.length > 0 ? [visibleText(`  ${title}: ${list.join(', ')}`)] : [];
  return [
    visibleText(name),
    ...row('provides', provides),
    ...row('requires', requires),
    ...row('may require', mayRequire),
    ...row('needs <host> grants of', host),
    ...row('may use <host> grants of', mayHost),
    '',
    configSchema ? describe(configSchema) : '  any <config>',
  ].join('\n');
}
