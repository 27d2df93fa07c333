import { inspectConfig, readXml } from '@ginit/core/config';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConfigWarning } from '../src/warning.ts';
import {
  denialPhrase,
  matchesLabel,
  parseRoute,
  possibleRoutes,
  type RequestingChild,
  resolveRequest,
  resolveRoute,
  rewriteLabel,
  ROUTE_SCHEMA,
  type ServiceDirectory,
  withoutAliases,
} from '../src/routing/index.ts';

/** Services by provider; `parent` is the parent, `local` whoever runs the children. */
function directory(providers: Readonly<Record<string, readonly string[]>>): ServiceDirectory {
  return {
    parentProvides: (service) => providers['parent']?.includes(service) ?? false,
    localProvides: (service) => providers['local']?.includes(service) ?? false,
    childProvides: (child, service) => isChild(child) && (providers[child]?.includes(service) ?? false),
    childrenProviding: (service) =>
      Object.keys(providers).filter((name) => isChild(name) && providers[name]?.includes(service)),
  };
}
const isChild = (name: string): boolean => name !== 'parent' && name !== 'local';

const rulesOf = (xml: string, warnings: ConfigWarning[] = []) =>
  parseRoute(inspectConfig(readXml(`<route>${xml}</route>`, 'r.xml'), ROUTE_SCHEMA).config, warnings);
const OFFERS = {
  parent: ['ROM', 'LOG'],
  disk: ['Block'],
  cache: ['Block', 'Report'],
  fs: ['File_system'],
  local: ['Monitor'],
};

/** `parent:label`, `child:label` or `denied reason`. */
function routed(
  xml: string,
  service: string,
  label = 'tool -> x',
  providers: Record<string, string[]> = OFFERS,
): string {
  const route = resolveRoute(rulesOf(xml), { service, label, childName: 'tool' }, directory(providers));
  switch (route.kind) {
    case 'denied':
      return `denied ${route.reason}`;
    case 'parent':
    case 'local':
      return `${route.kind}:${route.label}`;
    case 'child':
      return `${route.child}:${route.label}`;
  }
}

describe('targets', () => {
  it.each([
    ['parent', '<any-service><parent/></any-service>', 'LOG', 'parent:tool -> x'],
    ['parent without the service', '<any-service><parent/></any-service>', 'Block', 'denied no-rule'],
    ['child', '<service name="Block"><child name="disk"/></service>', 'Block', 'disk:tool -> x'],
    [
      'child without the service',
      '<service name="Nic"><child name="disk"/></service>',
      'Nic',
      'denied no-provider',
    ],
    ['no such child', '<service name="Block"><child name="dsik"/></service>', 'Block', 'denied no-provider'],
    [
      'a child named parent',
      '<service name="LOG"><child name="parent"/></service>',
      'LOG',
      'denied no-provider',
    ],
    ['local without the service', '<service name="Nic"><local/></service>', 'Nic', 'denied no-provider'],
    [
      'local, with another label',
      '<service name="Monitor"><local label="here"/></service>',
      'Monitor',
      'local:here',
    ],
    [
      'local first, then the parent',
      '<any-service><local/><parent/></any-service>',
      'LOG',
      'parent:tool -> x',
    ],
    ['any-child', '<any-service><any-child/></any-service>', 'File_system', 'fs:tool -> x'],
    ['any-child, none', '<any-service><any-child/></any-service>', 'Nic', 'denied no-rule'],
    ['any-child, ambiguous', '<any-service><any-child/></any-service>', 'Block', 'denied ambiguous'],
    [
      'ambiguous denies at once',
      '<any-service><any-child/><child name="disk"/></any-service><service name="Block"><child name="disk"/></service>',
      'Block',
      'denied ambiguous',
    ],
    [
      'in order',
      '<service name="Block"><parent/><child name="cache"/><child name="disk"/></service>',
      'Block',
      'cache:tool -> x',
    ],
    ['the parent first', '<any-service><parent/><any-child/></any-service>', 'ROM', 'parent:tool -> x'],
    ['no target', '<service name="LOG"/>', 'LOG', 'denied no-provider'],
  ])('%s', (_, xml, service, expected) => {
    expect(routed(xml, service)).toBe(expected);
  });
});

describe('rules', () => {
  it.each([
    ['other services are passed over', '<service name="LOG"><parent/></service>', 'ROM', 'denied no-rule'],
    ['no rules at all', '', 'ROM', 'denied no-rule'],
    [
      'a <service> denies at once',
      '<service name="Block"><parent/></service><any-service><child name="disk"/></any-service>',
      'Block',
      'denied no-provider',
    ],
    [
      'an <any-service> leaves it to the next rule',
      '<any-service><parent/></any-service><any-service><child name="disk"/></any-service>',
      'Block',
      'disk:tool -> x',
    ],
    [
      'the first rule that matches decides',
      '<service name="Block"><child name="cache"/></service><service name="Block"><child name="disk"/></service>',
      'Block',
      'cache:tool -> x',
    ],
    [
      'a filtered rule is passed over if its filter does not match',
      '<service name="Block" label="y"><child name="cache"/></service><service name="Block"><child name="disk"/></service>',
      'Block',
      'disk:tool -> x',
    ],
    [
      'a filtered <service> denies at once too',
      '<service name="Block" label="x"><parent/></service><service name="Block"><child name="disk"/></service>',
      'Block',
      'denied no-provider',
    ],
  ])('%s', (_, xml, service, expected) => {
    expect(routed(xml, service)).toBe(expected);
  });

  it('without a route model everything is denied', () => {
    const route = resolveRoute(
      undefined,
      { service: 'LOG', label: 'tool', childName: 'tool' },
      directory(OFFERS),
    );
    expect(route).toMatchObject({ kind: 'denied', reason: 'no-routes', position: undefined });
  });

  it('says what denied a request, and where', () => {
    const rules = rulesOf(
      '\n<service name="Nic"><parent/></service>\n<any-service><any-child/></any-service>',
    );
    const denial = (service: string) => {
      const route = resolveRoute(
        rules,
        { service, label: 'tool -> x', childName: 'tool' },
        directory(OFFERS),
      );
      return route.kind === 'denied' ? [route.text, route.position?.line, route.position?.column] : route;
    };
    expect(denial('Nic')).toEqual(['no target of this route provides service "Nic"', 2, 1]);
    expect(denial('Block')).toEqual([
      '<any-child> is ambiguous: service "Block" is provided by "disk", "cache"',
      3,
      14,
    ]);
    expect(denial('RTC')).toEqual(['no route to service "RTC" (label="tool -> x")', undefined, undefined]);
  });
});

describe('filters', () => {
  it.each([
    ['none', '', 'tool -> x', true],
    ['none, unscoped', '', 'tool', true],
    ['label', 'label="x"', 'tool -> x', true],
    ['label, other', 'label="x"', 'tool -> x -> y', false],
    ['label, several elements', 'label="x -> y"', 'tool -> x -> y', true],
    ['label is without the child', 'label="tool -> x"', 'tool -> x', false],
    ['label, trimmed', 'label=" x "', 'tool -> x', true],
    ['empty label', 'label=""', 'tool -> ', true],
    ['label, unscoped', 'label="tool"', 'tool', false],
    ['label, of another scope', 'label="x"', 'other -> x', false],
    ['label, name is only a prefix', 'label="x"', 'toolbox -> x', false],
    ['prefix', 'label_prefix="x"', 'tool -> xyz', true],
    ['prefix, other', 'label_prefix="y"', 'tool -> xyz', false],
    ['prefix, trimmed', 'label_prefix=" x"', 'tool -> xyz', true],
    ['empty prefix', 'label_prefix=""', 'tool -> xyz', true],
    ['empty prefix, unscoped', 'label_prefix=""', 'tool', false],
    ['suffix', 'label_suffix="z"', 'tool -> xyz', true],
    ['suffix, other', 'label_suffix="y"', 'tool -> xyz', false],
    ['suffix, unscoped', 'label_suffix="l"', 'tool', false],
    ['suffix stays within the scope', 'label_suffix="-> x"', 'tool -> x', false],
    ['prefix and suffix', 'label_prefix="x" label_suffix="z"', 'tool -> xyz', true],
    ['prefix and wrong suffix', 'label_prefix="x" label_suffix="y"', 'tool -> xyz', false],
    ['label and wrong prefix', 'label="x" label_prefix="y"', 'tool -> x', false],
    ['unscoped label', 'unscoped_label="tool -> x"', 'tool -> x', true],
    ['unscoped label, environment', 'unscoped_label="tool"', 'tool', true],
    ['unscoped label, linker', 'unscoped_label="ld.lib.so"', 'ld.lib.so', true],
    ['unscoped label, other', 'unscoped_label="x"', 'tool -> x', false],
    [
      'unscoped label overrides scoped',
      'unscoped_label="tool -> x" label="y" label_prefix="z"',
      'tool -> x',
      true,
    ],
    ['last', 'label_last="y"', 'tool -> x -> y', true],
    ['last, unscoped', 'label_last="tool"', 'tool', true],
    ['last, other', 'label_last="x"', 'tool -> x -> y', false],
    ['last overrides all', 'label_last="y" unscoped_label="z" label="z"', 'tool -> x -> y', true],
    ['last decides alone', 'label_last="z" unscoped_label="tool -> x"', 'tool -> x', false],
  ])('%s', (_, attributes, label, expected) => {
    const xml = `<service name="ROM" ${attributes}><parent/></service>`;
    expect(routed(xml, 'ROM', label)).toBe(expected ? `parent:${label}` : 'denied no-rule');
    const any = `<any-service ${attributes}><parent/></any-service>`;
    expect(routed(any, 'ROM', label)).toBe(expected ? `parent:${label}` : 'denied no-rule');
  });

  it('warns of filters that have no effect', () => {
    const warnings: ConfigWarning[] = [];
    rulesOf(
      '<service name="ROM" label="x" unscoped_label="y"/><any-service label_last="z" label_prefix="q"/>',
      warnings,
    );
    rulesOf('<service name="ROM" label="x" label_prefix="x" label_suffix="x"/>', warnings);
    expect(warnings.map(({ text }) => text)).toEqual([
      'attribute "label" of <service> is not looked at beside "unscoped_label"',
      'attribute "label_prefix" of <any-service> is not looked at beside "label_last"',
    ]);
  });

  it('a scoped filter never takes an unscoped label', () => {
    const part = fc.option(fc.stringMatching(/^[a-c]{0,2}$/), { nil: undefined });
    const filter = fc.record({ label: part, labelPrefix: part, labelSuffix: part });
    fc.assert(
      fc.property(filter, fc.stringMatching(/^[a-c]{0,3}$/), (scoped, label) => {
        fc.pre(Object.values(scoped).some((value) => value !== undefined));
        const whole = { ...scoped, unscopedLabel: undefined, labelLast: undefined };
        expect(matchesLabel(whole, label, 'a')).toBe(false);
        const expected =
          (scoped.label ?? label) === label &&
          label.startsWith(scoped.labelPrefix ?? '') &&
          label.endsWith(scoped.labelSuffix ?? '');
        expect(matchesLabel(whole, `a -> ${label}`, 'a')).toBe(expected);
      }),
    );
  });
});

describe('label rewriting', () => {
  it.each([
    ['', 'tool -> x -> y', 'tool -> x -> y'],
    ['label="z"', 'tool -> x', 'z'],
    ['label=" z "', 'tool -> x', ' z '],
    ['label=""', 'tool -> x', ''],
    ['label="z" identity="a" resource="b"', 'tool -> x', 'z'],
    ['identity="a"', 'tool -> x -> y', 'a -> y'],
    ['identity="a -> b"', 'tool -> x', 'a -> b -> x'],
    ['identity=""', 'tool -> x -> y', 'y'],
    ['identity="a"', 'tool', 'a -> tool'],
    ['resource="z"', 'tool -> x -> y', 'tool -> x -> z'],
    ['resource="z"', 'tool', 'z'],
    ['resource=""', 'tool -> x', 'tool -> '],
    ['prepend_resource="/data/"', 'tool -> x', 'tool -> /data/x'],
    ['prepend_resource="a" resource="b"', 'tool -> x', 'tool -> ab'],
    ['identity="" prepend_resource="a"', 'tool -> x', 'ax'],
    ['identity="q"', 'tool -> ', 'q -> '],
  ])('%s of %j', (attributes, label, expected) => {
    expect(routed(`<service name="ROM"><parent ${attributes}/></service>`, 'ROM', label)).toBe(
      `parent:${expected}`,
    );
    const child = `<service name="Block"><child name="disk" ${attributes}/></service>`;
    expect(routed(child, 'Block', label)).toBe(`disk:${expected}`);
  });

  it('denies a request whose rewritten label would be no label', () => {
    const long = 'x'.repeat(150);
    expect(
      routed(`<service name="ROM"><parent identity="${long}"/></service>`, 'ROM', 'tool -> 1234567'),
    ).toBe('denied bad-label');
    expect(
      routed(`<service name="ROM"><parent identity="${long}"/></service>`, 'ROM', 'tool -> 123456'),
    ).toBe(`parent:${long} -> 123456`);
  });

  it('changes nothing without attributes', () => {
    const none = { label: undefined, identity: undefined, resource: undefined, prependResource: undefined };
    fc.assert(fc.property(fc.string(), (label) => rewriteLabel(none, label) === label));
    fc.assert(
      fc.property(fc.string(), fc.string(), (label, resource) => {
        // With a separator in the resource, the server would find another last element.
        fc.pre(!resource.includes('>'));
        expect(rewriteLabel({ ...none, resource }, label).endsWith(resource)).toBe(true);
      }),
    );
  });
});

describe('resolveRequest', () => {
  const tool: RequestingChild = {
    name: 'tool',
    binaryName: 'fs_tool',
    hasConfig: true,
    usesLinker: true,
    rules: rulesOf(
      '<service name="ROM" unscoped_label="fs_tool"><parent resource="found"/></service>' +
        '<service name="ROM" unscoped_label="ld.lib.so"><parent/></service>' +
        '<service name="ROM" label="config"><parent label="routed"/></service>' +
        '<service name="LOG"><parent/></service>',
    ),
  };
  const resolved = (child: RequestingChild, service: string, label: string) => {
    const route = resolveRequest(child, { service, label }, directory(OFFERS));
    if (route.kind === 'config') return 'own config';
    return route.kind === 'denied' ? route.reason : `${route.kind}:${route.label}`;
  };

  it.each([
    ['inline config', tool, 'ROM', 'tool -> config', 'own config'],
    ['no inline config', { ...tool, hasConfig: false }, 'ROM', 'tool -> config', 'parent:routed'],
    ['another service called config', tool, 'LOG', 'tool -> config', 'parent:tool -> config'],
    ["a grandchild's config is its own", tool, 'ROM', 'tool -> sub -> config', 'no-rule'],
    ['binary', tool, 'ROM', 'tool', 'parent:found'],
    ['binary of the same name', { ...tool, binaryName: 'tool' }, 'ROM', 'tool', 'no-rule'],
    ['a ROM named as the binary', tool, 'ROM', 'tool -> fs_tool', 'no-rule'],
    ['linker', tool, 'ROM', 'ld.lib.so', 'parent:ld.lib.so'],
    ['ld="no"', { ...tool, usesLinker: false }, 'ROM', 'ld.lib.so', 'parent:found'],
    ['a ROM that is nothing special', tool, 'ROM', 'tool -> session_requests', 'no-rule'],
    ['environment', tool, 'LOG', 'tool', 'parent:tool'],
    ['nothing', tool, 'CPU', 'tool', 'no-rule'],
    ['no rules', { ...tool, rules: undefined }, 'CPU', 'tool', 'no-routes'],
  ])('%s', (_, child, service, label, expected) => {
    expect(resolved(child, service, label)).toBe(expected);
  });
});

describe('possibleRoutes', () => {
  const possible = (xml: string, service: string) =>
    possibleRoutes(rulesOf(xml), service, directory(OFFERS)).map(
      ({ outcome, isConditional }) =>
        `${'name' in outcome ? outcome.name : outcome.kind}${isConditional ? '?' : ''}`,
    );

  it.each([
    ['<any-service><parent/><any-child/></any-service>', 'File_system', ['fs']],
    ['<any-service><parent/></any-service>', 'Block', ['denied']],
    [
      '<service name="Block" label="a"><child name="disk"/></service><service name="Block"><child name="cache"/></service>',
      'Block',
      ['disk?', 'cache'],
    ],
    ['<service name="Block" label="a"><child name="disk"/></service>', 'Block', ['disk?', 'denied']],
    [
      '<service name="Block" label="a"><parent/></service><any-service><any-child/></any-service>',
      'Block',
      ['denied?', 'denied'],
    ],
    [
      '<any-service label="a"><parent/></any-service><any-service><child name="fs"/></any-service>',
      'File_system',
      ['fs'],
    ],
  ])('%s', (xml, service, expected) => {
    expect(possible(xml, service)).toEqual(expected);
  });

  it('lists every route that resolveRoute finds, for any label', () => {
    const name = fc.constantFrom('disk', 'cache', 'fs', 'none');
    const target = fc.oneof(
      fc.constant('<parent/>'),
      fc.constant('<any-child/>'),
      name.map((one) => `<child name="${one}"/>`),
    );
    const filter = fc.constantFrom(
      '',
      'label="x"',
      'label_prefix="x"',
      'label_last="y"',
      'unscoped_label="tool"',
    );
    const service = fc.constantFrom('LOG', 'Block', 'File_system', 'Report');
    const rule = fc
      .tuple(fc.option(service), filter, fc.array(target, { maxLength: 3 }))
      .map(([one, condition, targets]) =>
        one === null
          ? `<any-service ${condition}>${targets.join('')}</any-service>`
          : `<service name="${one}" ${condition}>${targets.join('')}</service>`,
      );
    const label = fc.constantFrom('tool', 'tool -> x', 'tool -> xy', 'tool -> x -> y', 'tool -> z');
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), service, label, (rules, asked, requested) => {
        const route = resolveRoute(
          rulesOf(rules.join('')),
          { service: asked, label: requested, childName: 'tool' },
          directory(OFFERS),
        );
        const found = route.kind === 'child' ? route.child : route.kind;
        expect(possible(rules.join(''), asked).map((one) => one.replace('?', ''))).toContain(found);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('old spellings and other names', () => {
  it.each([
    ['tool -> disk', 'disk:tool -> disk'],
    ['tool -> other', 'cache:tool -> other'],
  ])('<if-arg> with the key label is the attribute label: %s', (label, expected) => {
    const xml = `<service name="Block"><if-arg key="label" value=" disk "/><child name="disk"/></service>
      <service name="Block"><child name="cache"/></service>`;
    expect(routed(xml, 'Block', label)).toBe(expected);
  });

  it('<configfile> names the ROM that stands for the config; a <config> of its own comes first', () => {
    const child: RequestingChild = {
      name: 'tool',
      binaryName: 'tool',
      hasConfig: false,
      configFile: 'tool.config',
      usesLinker: true,
      rules: rulesOf('<any-service><parent/></any-service>'),
    };
    const request = { service: 'ROM', label: 'tool -> config' };
    expect(resolveRequest(child, request, directory(OFFERS))).toMatchObject({ label: 'tool -> tool.config' });
    expect(resolveRequest({ ...child, hasConfig: true }, request, directory(OFFERS))).toEqual({
      kind: 'config',
    });
  });

  it('an alias stands for its child, and an alias of an alias for nobody', () => {
    const aliases = new Map([
      ['store', 'disk'],
      ['shop', 'store'],
    ]);
    const xml = ['store', 'shop'].map(
      (name) => `<service name="Block"><child name="${name}" label="a"/></service>`,
    );
    const targets = withoutAliases(rulesOf(xml.join('')), aliases).flatMap((rule) => rule.targets);
    expect(targets).toMatchObject([
      { kind: 'child', name: 'disk', rewrite: { label: 'a' } },
      { kind: 'child', name: 'store', rewrite: { label: 'a' } },
    ]);
  });
});

describe('the phrase of a denial', () => {
  it.each([
    ['', 'Block', 'tool -> x', 'no route for Block "x"'],
    ['', 'PD', 'tool', 'no route for PD'],
    [
      '<service name="Block"><child name="fs"/></service>',
      'Block',
      'tool -> x',
      'route leads to "fs", which does not provide Block',
    ],
    [
      '<service name="Nic"><parent/><child name="fs"/></service>',
      'Nic',
      'tool -> x',
      'route leads to the parent, "fs", which do not provide Nic',
    ],
    ['<service name="Nic"/>', 'Nic', 'tool -> x', 'no route for Nic "x": its rule has no target'],
    [
      '<service name="Block"><any-child/></service>',
      'Block',
      'tool -> x',
      'no route for Block "x": <any-child> is ambiguous: service "Block" is provided by "disk", "cache"',
    ],
  ])('%s', (xml, service, label, phrase) => {
    const request = { service, label, childName: 'tool' };
    const route = resolveRoute(rulesOf(xml), request, directory(OFFERS));
    expect(route.kind === 'denied' && denialPhrase(route, request)).toBe(phrase);
  });
});
