/** `ginit schema`: writes an XML Schema of configs, for editors. */
import { parseArgs } from 'node:util';
import { writeXml } from '@ginit/core/config';
import { INIT_SCHEMA } from '../../model/index.ts';
import { componentFacts } from '../component-help.ts';
import type { Output } from '../output.ts';
import { STOCK_NAMES } from '../stock.ts';
import { put } from '../text/convert.ts';
import { STANDARD_STREAM } from '../text/files.ts';
import { type ComponentSchema, xsdOf } from './xsd.ts';

const USAGE_EXIT_CODE = 2;

/** The help text of `ginit schema`. */
export const SCHEMA_HELP = `ginit schema: writes an XML Schema of configs, so that an editor completes and explains them

  ginit schema [FILE]

  FILE  the schema goes there, for example to ginit.xsd; else to standard output

An editor finds it by the config: <config xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
xsi:noNamespaceSchemaLocation="ginit.xsd">. It knows the configs of all stock components, but cannot see which one a
<config> is for; "ginit check" can, and is the judge.`;

/** Runs the command with the arguments after `schema`; the result is its exit code. */
export async function schema(args: readonly string[], version: string, output: Output): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    await output.text(SCHEMA_HELP);
    return 0;
  }
  const path = pathOf(args);
  if ('problem' in path) {
    output.say(path.problem);
    output.say('try "ginit schema --help"');
    return USAGE_EXIT_CODE;
  }
  const components: ComponentSchema[] = [];
  for (const component of STOCK_NAMES) {
    const found = await componentFacts(component);
    if ('problem' in found) {
      output.say(found.problem);
      return USAGE_EXIT_CODE;
    }
    const { configSchema } = found.facts;
    if (configSchema) components.push({ component, schema: configSchema });
  }
  return put(`${DECLARATION}\n${writeXml(xsdOf(INIT_SCHEMA, components, version))}`, path.file, output);
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>';

function pathOf(args: readonly string[]): { readonly file: string } | { readonly problem: string } {
  try {
    const { positionals } = parseArgs({ args: [...args], options: {}, allowPositionals: true });
    const [file = STANDARD_STREAM, extra] = positionals;
    return extra === undefined ? { file } : { problem: `schema: one file, not also "${extra}"` };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
