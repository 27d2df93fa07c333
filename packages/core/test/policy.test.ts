import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribute, ConfigNode, element, policyElements, readConfig } from '../src/config/index.ts';
import { requiredPolicy, selectPolicy } from '../src/policy.ts';
import { Label } from '../src/label.ts';

type Attributes = { label?: string; label_prefix?: string; label_suffix?: string };

const SCHEMA = element('config', 'A server', {
  children: [
    ...policyElements({ id: attribute.text('Which', { fallback: '' }) }),
    element('other', 'No policy', { anyContent: true }),
  ],
});

function config(policies: readonly Attributes[], withDefault = false): ConfigNode {
  const nodes = policies.map((attributes, id) => ConfigNode.make('policy', { ...attributes, id }));
  if (withDefault) nodes.unshift(ConfigNode.make('default-policy', { id: 'default' }));
  return ConfigNode.make('config', {}, nodes);
}

const selected = (node: ConfigNode, label: string) => selectPolicy(readConfig(node, SCHEMA), label)?.id;

describe('selectPolicy', () => {
  it.each<[string, readonly Attributes[], string, string | undefined]>([
    ['exact', [{ label: 'fs' }], 'fs', '0'],
    ['exact is no prefix', [{ label: 'fs' }], 'fs -> block', undefined],
    ['prefix', [{ label_prefix: 'fs' }], 'fs -> block', '0'],
    ['prefix is plain text', [{ label_prefix: 'f' }], 'fs -> block', '0'],
    ['suffix', [{ label_suffix: 'block' }], 'fs -> block', '0'],
    ['empty prefix matches all', [{ label_prefix: '' }], 'anything', '0'],
    ['empty label matches the empty label', [{ label: '' }], '', '0'],
    ['empty label matches no other', [{ label: '' }], 'x', undefined],
    ['no attribute never matches', [{}], 'fs', undefined],
    ['all attributes must match', [{ label_prefix: 'fs', label_suffix: 'data' }], 'fs -> block', undefined],
    ['exact with a wrong suffix is out', [{ label: 'fs', label_suffix: 'x' }], 'fs', undefined],
    ['exact beats prefix', [{ label_prefix: 'fs -> block' }, { label: 'fs -> block' }], 'fs -> block', '1'],
    [
      'exact beats prefix and suffix together',
      [{ label_prefix: 'fs -> blo', label_suffix: 'block' }, { label: 'fs -> block' }],
      'fs -> block',
      '1',
    ],
    ['prefix beats suffix', [{ label_suffix: 'fs -> block' }, { label_prefix: 'f' }], 'fs -> block', '1'],
    [
      'empty prefix beats suffix',
      [{ label_suffix: 'fs -> block' }, { label_prefix: '' }],
      'fs -> block',
      '1',
    ],
    ['longer prefix', [{ label_prefix: 'f' }, { label_prefix: 'fs' }], 'fs -> block', '1'],
    ['longer suffix', [{ label_suffix: 'k' }, { label_suffix: 'ock' }], 'fs -> block', '1'],
    [
      'prefix first, then suffix',
      [
        { label_prefix: 'fs' },
        { label_prefix: 'fs', label_suffix: 'k' },
        { label_prefix: 'f', label_suffix: 'block' },
      ],
      'fs -> block',
      '1',
    ],
    ['first of equals', [{ label_prefix: 'fs' }, { label_prefix: 'fs' }], 'fs', '0'],
    ['values are trimmed', [{ label: ' fs ', label_prefix: ' f ', label_suffix: '  s ' }], 'fs', '0'],
    ['an unnamed session', [{ label: 'fs -> ' }], 'fs -> ', '0'],
    ['an unnamed session, by suffix', [{ label_suffix: '-> ' }], 'fs -> ', '0'],
  ])('%s', (_, policies, label, expected) => {
    expect(selected(config(policies), label)).toBe(expected);
    expect(selected(config(policies, true), label)).toBe(expected ?? 'default');
  });

  it('takes a Label and looks at policies only', () => {
    const node = ConfigNode.make('config', {}, [
      ConfigNode.make('other', { label: 'fs' }),
      ConfigNode.make('policy', { label: 'fs', id: 1 }),
    ]);
    expect(selectPolicy(readConfig(node, SCHEMA), new Label('fs'))?.id).toBe('1');
    expect(selectPolicy(readConfig(ConfigNode.empty('config'), SCHEMA), new Label('fs'))).toBeUndefined();
  });

  it('picks a best match, whatever the order', () => {
    const part = fc.option(fc.stringMatching(/^[ab]{0,3}$/), { nil: undefined });
    const policy = fc.record({ label: part, label_prefix: part, label_suffix: part });
    const label = fc.stringMatching(/^[ab]{0,4}$/);
    fc.assert(
      fc.property(fc.array(policy, { maxLength: 6 }), label, (policies, text) => {
        const matches = policies.filter(
          (one) =>
            Object.values(one).some((value) => value !== undefined) &&
            (one.label ?? text) === text &&
            text.startsWith(one.label_prefix ?? '') &&
            text.endsWith(one.label_suffix ?? ''),
        );
        const rank = (one: (typeof policies)[number]) =>
          (one.label === undefined ? 0 : 100) +
          (one.label_prefix === undefined ? 0 : 10 * (one.label_prefix.length + 1)) +
          (one.label_suffix === undefined ? 0 : one.label_suffix.length + 1);
        const nodes = policies.map((one, id) => ConfigNode.make('policy', { ...one, id }));
        const found = selectPolicy(readConfig(ConfigNode.make('config', {}, nodes), SCHEMA), text);
        const best = Math.max(-1, ...matches.map(rank));
        const first = policies.find((one) => matches.includes(one) && rank(one) === best);
        expect(found?.id).toBe(first && `${policies.indexOf(first)}`);
        expect(found === undefined).toBe(matches.length === 0);
      }),
    );
  });
});

it('requiredPolicy denies whoever has no policy', () => {
  const read = readConfig(config([{ label: 'fs' }]), SCHEMA);
  expect(requiredPolicy(read, new Label('fs')).id).toBe('0');
  expect(() => requiredPolicy(read, new Label('other'))).toThrow(
    expect.objectContaining({ code: 'DENIED', message: expect.stringContaining('for label "other"') }),
  );
});
