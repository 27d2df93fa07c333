import { readFileSync } from 'node:fs';
import { ConfigError, readXml } from '@ginit/core/config';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkConfig, type ManifestFacts, manifestFactsFromData, startsOf } from '../src/check/index.ts';
import { directoryOf, readInitConfig, requestingChild } from '../src/model/index.ts';
import { resolveRequest } from '../src/routing/index.ts';
import { manifestsOf } from './components.ts';

const read = (xml: string) => readInitConfig(readXml(xml, 'k.xml')).config;
const stored = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

describe('startsOf', () => {
  it('lists the start nodes of nested inits under their path', () => {
    const places = startsOf(read(stored('right/nested.xml')));
    expect(places.map(({ path, start }) => [path, start.binary.name])).toEqual([
      ['disk', 'ram_block'],
      ['sub', 'init'],
      ['sub -> tool', 'block_tool'],
    ]);
  });
});

describe('checkConfig', () => {
  it('checks everything about a child without a manifest that needs no manifest', () => {
    const config = read(
      '<config><default ram="1M" caps="100"/><start name="a"><provides><service name="X"/></provides><config y="z"/>' +
        '<route><service name="Y"><child name="b"/></service></route></start></config>',
    );
    expect(checkConfig(config, new Map()).errors.map(({ text }) => text)).toEqual([
      'start node "a" has no route to what every component needs: "PD", "CPU", "LOG", "ROM" (its binary "a"): there is no <parent-provides>',
      'there is no child "b"',
    ]);
  });

  it('counts a domain of a nested init apart from the one of that name above it', () => {
    const services = ['PD', 'CPU', 'LOG', 'ROM'].map((name) => `<service name="${name}"/>`).join('');
    const preamble = `<parent-provides>${services}</parent-provides>
      <default-route><any-service><parent/></any-service></default-route><default ram="4M" caps="100"/>`;
    const tools = '<start name="a"/> <start name="b" domain="x"/> <start name="c" domain="x"/>';
    const nested = `<start name="sub" ram="40M" caps="900"><binary name="init"/>
      <config>${preamble} ${tools} <start name="sub" ram="30M" caps="500"><binary name="init"/>
      <config>${preamble} ${tools}</config></start></config></start>`;
    const processes = (starts: string): string | undefined => {
      const found = checkConfig(read(`<config>${preamble} ${starts}</config>`), new Map(), {
        host: { descriptors: 1 },
      });
      return found.warnings.flatMap(({ text }) => /^(\d+) processes need/.exec(text)?.[1] ?? [])[0];
    };
    // Three processes: init, and the domains "main" and "x". Each of the two nested inits adds two
    // more for its own "main" and "x"; it is itself in one of the domains above.
    expect([processes(tools), processes(`${tools} ${nested}`)]).toEqual(['3', '7']);
  });

  it('does not ask for a config that a server provides', () => {
    const facts: ManifestFacts = {
      provides: [],
      requires: [],
      host: [],
      configSchema: {
        type: 'config',
        doc: '',
        attributes: { x: { kind: 'text', doc: '', required: true } },
      },
    };
    const config = (route: string) =>
      read(`<config><parent-provides><service name="ROM"/><service name="LOG"/><service name="PD"/><service name="CPU"/></parent-provides>
        <default ram="1M" caps="100"/>
        <default-route><any-service><parent/></any-service></default-route>
        <start name="roms"><provides><service name="ROM"/></provides></start>
        <start name="a"><route>${route}<any-service><parent/></any-service></route></start></config>`);
    const manifests = new Map([['a', facts]]);
    const served = config('<service name="ROM" label="config"><child name="roms"/></service>');
    expect(checkConfig(served, manifests).errors).toEqual([]);
    expect(checkConfig(config(''), manifests).errors.map(({ text }) => text)).toEqual([
      'start node "a" has no <config>, which component "a" needs: <config> needs an attribute "x"',
    ]);
  });

  it('finds an error unless every session of every environment has a route', () => {
    const target = fc.constantFrom('<parent/>', '<any-child/>', '<child name="a"/>', '<child name="b"/>');
    const filter = fc.constantFrom(
      '',
      'label="x"',
      'label_prefix=""',
      'unscoped_label="a"',
      'label_last="b"',
    );
    const ruled = fc.constantFrom('ROM', 'PD', 'CPU', 'LOG');
    const rule = fc
      .tuple(fc.option(ruled, { freq: 1 }), filter, fc.array(target, { minLength: 1, maxLength: 2 }))
      .map(([name, condition, targets]) =>
        name === null
          ? `<any-service ${condition}>${targets.join('')}</any-service>`
          : `<service name="${name}" ${condition}>${targets.join('')}</service>`,
      );
    const rules = fc.array(rule, { maxLength: 4 }).map((list) => list.join(''));
    const services = fc.subarray(['ROM', 'PD', 'CPU', 'LOG'], { minLength: 2 });
    const list = (names: readonly string[]) => names.map((name) => `<service name="${name}"/>`).join('');
    let clean = 0;
    fc.assert(
      fc.property(
        services,
        fc.subarray(['ROM', 'PD', 'LOG']),
        rules,
        fc.option(rules),
        (above, own, shared, route) => {
          const config =
            read(`<config><parent-provides>${list(above)}</parent-provides><default ram="1M" caps="100"/>
          <default-route>${shared}</default-route>
          <start name="a"><provides>${list(own)}</provides></start>
          <start name="b">${route === null ? '' : `<route>${route}</route>`}</start></config>`);
          if (checkConfig(config, new Map()).errors.length > 0) return;
          clean++;
          for (const start of config.starts) {
            for (const service of ['PD', 'CPU', 'LOG', 'ROM']) {
              const request = { service, label: start.name };
              const found = resolveRequest(requestingChild(config, start), request, directoryOf(config));
              expect(found.kind).not.toBe('denied');
            }
          }
        },
      ),
      { numRuns: 2000 },
    );
    expect(clean).toBeGreaterThan(20);
  });

  it('ends for every damage to a good configuration, with places within the text', () => {
    const good = stored('right/storage.xml');
    const lines = good.split('\n').length;
    const edit = fc.record({
      at: fc.nat(good.length),
      remove: fc.nat(30),
      insert: fc.constantFrom(
        '',
        '<',
        '>',
        '"',
        'x',
        '<start name="q"/>',
        ' label="a -> b"',
        '</config>',
        '&',
        '9',
        '-',
      ),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        let text = good;
        for (const { at, remove, insert } of edits)
          text = text.slice(0, at) + insert + text.slice(at + remove);
        try {
          const { config, errors, warnings } = readInitConfig(readXml(text, 'k.xml'));
          const found = checkConfig(config, manifestsOf(config), { quota: { ram: 1e9, caps: 1e4 } });
          for (const { position } of [...errors, ...warnings, ...found.errors, ...found.warnings]) {
            expect(position.file).toBe('k.xml');
            expect(position.line).toBeLessThanOrEqual(lines);
          }
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('checks a large configuration in a reasonable time', () => {
    const starts = Array.from(
      { length: 5000 },
      (_, index) =>
        `<start name="c${index}"><binary name="relay"/><provides><service name="Block"/></provides>` +
        `<route><service name="Block"><child name="c${index + 1}"/></service><any-service><parent/></any-service></route></start>`,
    );
    const config = read(
      `<config><parent-provides><service name="ROM"/><service name="LOG"/><service name="PD"/><service name="CPU"/></parent-provides>` +
        `<default ram="1M" caps="100"/>${starts.join('')}</config>`,
    );
    const { errors, warnings } = checkConfig(config, manifestsOf(config));
    expect(errors.map(({ text }) => text)).toEqual(['there is no child "c5000" (did you mean "c4000"?)']);
    expect(warnings).toEqual([]);
  }, 10_000);
});

describe('manifestFactsFromData', () => {
  it('reads the plain form of a manifest', () => {
    const facts = {
      provides: ['A'],
      requires: ['B'],
      mayRequire: ['C'],
      host: ['file', 'tcp-listen'],
      mayHost: ['unix-connect'],
    };
    const schema = { type: 'config', doc: 'x' };
    const data: unknown = JSON.parse(JSON.stringify({ ...facts, configSchema: schema }));
    expect(manifestFactsFromData(data)).toEqual({ ...facts, configSchema: schema });
    expect(manifestFactsFromData({})).toEqual({
      provides: [],
      requires: [],
      mayRequire: [],
      host: [],
      mayHost: [],
      configSchema: undefined,
    });
  });

  it.each([
    [null, 'manifest: not an object'],
    [{ provides: 'A' }, 'manifest.provides: not a short list'],
    [{ requires: [1] }, "manifest.requires: not a service's name"],
    [{ host: ['root'] }, 'manifest.host: unknown kind of grant'],
    [{ configSchema: { type: 'config' } }, 'schema.doc: not a short text'],
  ])('refuses %j', (data, message) => {
    expect(() => manifestFactsFromData(data)).toThrow(message);
  });
});
