/** Makes the output of the values of the inputs. */
import { type ConfigAttribute, ConfigNode, GENERATED_POSITION } from '@ginit/core/config';
import type { Found } from './input.ts';

/** What inputs have, by their names. */
export type Inputs = ReadonlyMap<string, Found>;

/** An element that is being made. */
interface Draft {
  readonly attributes: Map<string, ConfigAttribute>;
  readonly children: ConfigNode[];
  text: string;
}

/** The output that `output` describes, an `<output>` that fits its schema. */
export function makeOutput(output: ConfigNode, inputs: Inputs): ConfigNode {
  return make(output.value('node') ?? '', output.children, inputs);
}

function make(type: string, parts: readonly ConfigNode[], inputs: Inputs): ConfigNode {
  const draft: Draft = { attributes: new Map(), children: [], text: '' };
  addAll(draft, parts, inputs);
  return new ConfigNode(type, draft);
}

function addAll(draft: Draft, parts: readonly ConfigNode[], inputs: Inputs): void {
  for (const part of parts) add(draft, part, inputs);
}

function add(draft: Draft, part: ConfigNode, inputs: Inputs): void {
  switch (part.type) {
    case 'inline':
      return addContent(draft, part);
    case 'attribute':
      return addAttribute(draft, part, inputs);
    case 'node':
      return void draft.children.push(make(part.value('type') ?? '', part.children, inputs));
    case 'input':
      return addInput(draft, part, inputs);
    case 'if':
      return addAll(draft, branchOf(part, inputs)?.children ?? [], inputs);
  }
}

function addContent(draft: Draft, { children, text }: ConfigNode): void {
  draft.children.push(...children);
  if (text.trim() !== '') draft.text += text;
}

function addAttribute(draft: Draft, part: ConfigNode, inputs: Inputs): void {
  const name = part.value('name') ?? '';
  const input = part.value('input');
  const value = input === undefined ? part.value('value') : inputs.get(input)?.value;
  if (value !== undefined) draft.attributes.set(name, { value, position: GENERATED_POSITION });
}

function addInput(draft: Draft, part: ConfigNode, inputs: Inputs): void {
  const found = inputs.get(part.value('name') ?? '');
  if (!found) return;
  if (!found.node) draft.text += found.value ?? '';
  else if (/^(?:yes|true|on)$/.test(part.value('skip_toplevel') ?? '')) addContent(draft, found.node);
  else draft.children.push(found.node);
}

function branchOf(part: ConfigNode, inputs: Inputs): ConfigNode | undefined {
  const condition = part.child('has_value');
  const value = inputs.get(condition?.value('input') ?? '')?.value;
  return part.child(value !== undefined && value === condition?.value('value') ? 'then' : 'else');
}
