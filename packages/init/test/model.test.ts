import { schemaFromData, readXml } from '@ginit/core/config';
import { describe, expect, it } from 'vitest';
import { formatWarning, type InitConfig, INIT_SCHEMA, readInitConfig } from '../src/model/index.ts';

const read = (xml: string) => readInitConfig(readXml(xml, 'm.xml'));

/** The model of a text that must be without errors. */
function modelOf(xml: string): InitConfig {
  const { config, errors } = read(xml);
  expect(errors.map((error) => error.message)).toEqual([]);
  return config;
}

const texts = (xml: string) => {
  const { errors, warnings } = read(xml);
  return [...errors.map((error) => error.message), ...warnings.map(formatWarning)];
};

describe('readInitConfig', () => {
  it('fills in the defaults where nothing is written', () => {
    const config = modelOf('<config><start name="a" ram="1M" caps="10"/></config>');
    expect(config).toMatchObject({
      version: undefined,
      verbose: false,
      summary: false,
      prioLevels: 1,
      parentProvides: [],
      defaultRoute: undefined,
      defaults: { ram: undefined, caps: undefined },
      preserve: { ram: 320 * 1024, caps: 20 },
      affinitySpace: { width: 1, height: 1 },
      report: undefined,
      heartbeatRateMs: 1000,
      services: [],
      aliases: [],
    });
    expect(config.starts).toEqual([
      {
        name: 'a',
        version: undefined,
        ram: 1024 * 1024,
        caps: 10,
        heap: undefined,
        priority: 0,
        managingSystem: false,
        usesLinker: true,
        stepBounds: { boundMs: 5000, ceilingMs: 300_000 },
        isolation: undefined,
        jail: 'default',
        confines: false,
        domain: undefined,
        place: undefined,
        ramLimit: undefined,
        reattach: false,
        replaceReady: false,
        binary: { name: 'a', position: { file: 'm.xml', line: 1, column: 16 } },
        provides: [],
        route: undefined,
        config: undefined,
        exitPropagate: false,
        restart: undefined,
        host: [],
        allowances: [],
        configFile: undefined,
        affinity: undefined,
        heartbeat: undefined,
        element: expect.anything(),
        position: { file: 'm.xml', line: 1, column: 9 },
      },
    ]);
  });

  it.each([
    ['node="b"', '', { node: 'b', labels: [] }],
    ['node="any"', '', { node: 'any', labels: [] }],
    ['', '<node label="gpu"/><node label="zone=eu"/>', { node: 'any', labels: ['gpu', 'zone=eu'] }],
    ['', `<attach key="U${'A'.repeat(55)}"/>`, { node: '', labels: [], attach: `U${'A'.repeat(55)}` }],
  ])('reads the place of a child: %s %s', (attributes, content, place) => {
    const config = modelOf(
      `<config><start name="a" ram="1M" caps="9" ${attributes}>${content}</start></config>`,
    );
    expect(config.starts[0]?.place).toEqual(place);
  });

  it.each([
    ['node="b" isolation="thread"', '', 'isolation="thread" is refused'],
    ['node="b" domain="d"', '', 'a domain is refused'],
    ['node="b" jail="no"', '', 'jail="no" is refused'],
    ['node="a b"', '', 'attribute "node" of <start> is "a b", which is no name of a node'],
    ['node="b"', '<node label="gpu"/>', 'a <node> with a label contradicts the name of a node'],
    ['', '<node label="a=b=c"/>', 'attribute "label" of <node> is "a=b=c", and not a word or KEY=VALUE'],
    ['', '<attach key="SUAB"/>', 'attribute "key" of <attach> is "SUAB", and not a public key'],
    ['node="b"', `<attach key="U${'A'.repeat(55)}"/>`, '<attach> contradicts a node beside it'],
    [
      '',
      `<binary name="x"/><attach key="U${'A'.repeat(55)}"/>`,
      '<binary> contradicts the <attach> beside it',
    ],
    [
      '',
      `<host><file path="f"/></host><attach key="U${'A'.repeat(55)}"/>`,
      '<host> is refused beside <attach>',
    ],
  ])('refuses the place of a child: %s %s', (attributes, content, expected) => {
    const { errors } = read(
      `<config><start name="a" ram="1M" caps="9" ${attributes}>${content}</start></config>`,
    );
    expect(errors.map(({ message }) => message).join('; ')).toContain(expected);
  });

  it('reads everything that may be written', () => {
    const config = modelOf(`<config version="7" verbose="on" summary="yes" prio_levels="4">
      <parent-provides><service name="ROM"/><service name="LOG"/></parent-provides>
      <default-route><any-service><parent/></any-service></default-route>
      <default ram="2M" caps="50"/>
      <affinity-space width="4" height="2"/>
      <resource name="RAM" preserve="1M"/><resource name="CAP" preserve="5"/>
      <report ids="yes" child_ram="on" delay_ms="250" buffer="64K"/>
      <heartbeat rate_ms="500"/>
      <service name="Nic"><default-policy><child name="a"/></default-policy></service>
      <alias name="b" child="a"/>
      <start name="a" version="2" ram="3M" heap="64M" priority="-2" managing_system="yes" ld="no"
             isolation="process" node="n1" ram_limit="8M">
        <binary name="x"/>
        <provides><service name="Nic"/></provides>
        <route><service name="ROM" label_last="q"><parent label="r"/></service></route>
        <config><anything goes="here"/></config>
        <exit propagate="yes"/>
        <restart max="2" period_s="10"/>
        <heartbeat restart_after_skipped="3"/>
        <affinity xpos="1" width="2"/>
        <host>
          <file path="a.img" access="rw"/><directory path="d"/><device path="/dev/kvm"/>
          <tcp listen="127.0.0.1:10809"/><tcp connect="[::1]:80"/>
        </host>
      </start>
    </config>`);
    expect(config).toMatchObject({
      version: '7',
      verbose: true,
      summary: true,
      prioLevels: 4,
      parentProvides: [{ name: 'ROM' }, { name: 'LOG' }],
      defaultRoute: [{ service: undefined, filter: undefined, targets: [{ kind: 'parent' }] }],
      defaults: { ram: 2 * 1024 * 1024, caps: 50 },
      preserve: { ram: 1024 * 1024, caps: 5 },
      report: {
        ids: true,
        requested: false,
        childRam: true,
        delayMs: 250,
        bufferBytes: 65_536,
        vocabulary: '24.08',
        why: false,
      },
      heartbeatRateMs: 500,
      services: [{ name: 'Nic', $children: { policy: [], 'default-policy': { child: { name: 'a' } } } }],
      aliases: [{ name: 'b', child: { name: 'a' } }],
    });
    expect(config.starts[0]).toMatchObject({
      version: '2',
      ram: 3 * 1024 * 1024,
      caps: 50,
      heap: 64 * 1024 * 1024,
      priority: 2,
      managingSystem: true,
      usesLinker: false,
      isolation: 'process',
      domain: undefined,
      place: { node: 'n1', labels: [] },
      ramLimit: 8 * 1024 * 1024,
      binary: { name: 'x' },
      provides: [{ name: 'Nic' }],
      route: [
        {
          service: 'ROM',
          filter: { labelLast: 'q' },
          targets: [{ kind: 'parent', rewrite: { label: 'r' } }],
        },
      ],
      config: { children: [{ type: 'anything' }] },
      exitPropagate: true,
      restart: { max: 2, periodS: 10 },
      heartbeat: { restartAfterSkipped: 3 },
      affinity: { xpos: 1, ypos: 0, width: 2, height: 2 },
      host: [
        { kind: 'file', path: 'a.img', access: 'rw' },
        { kind: 'directory', path: 'd', access: 'ro' },
        { kind: 'device', path: '/dev/kvm', access: 'rw' },
        { kind: 'tcp-listen', path: '127.0.0.1:10809' },
        { kind: 'tcp-connect', path: '[::1]:80' },
      ],
    });
  });

  it('takes the old spelling of quotas, which wins over the new one', () => {
    const [a, b] = modelOf(`<config><default caps="9"/>
      <start name="a" ram="8M"><resource name="RAM" quantum="2M"/></start>
      <start name="b"><resource name="RAM" quantum="4K"/><resource name="CAP" quantum="30"/></start>
    </config>`).starts;
    expect([a?.ram, a?.caps]).toEqual([2 * 1024 * 1024, 9]);
    expect([b?.ram, b?.caps]).toEqual([4096, 30]);
  });

  it('accepts a quota of 0', () => {
    expect(
      modelOf('<config><default ram="1M" caps="5"/><start name="a" ram="0" caps="0"/></config>').starts[0],
    ).toMatchObject({ ram: 0, caps: 0 });
  });

  it.each([
    [
      '<start name="a" caps="1"/>',
      ['m.xml:1:9: start node "a" has no ram quota (add ram="4M" or a <default ram="4M"/>)'],
    ],
    [
      '<start name="a" ram="1M"/>',
      ['m.xml:1:9: start node "a" has no caps quota (add caps="100" or a <default caps="100"/>)'],
    ],
    // A malformed quota is one error, not two.
    [
      '<start name="a" ram="x" caps="1"/>',
      [
        'm.xml:1:25: attribute "ram" of <start> is "x", which is not a number of bytes (digits, then K, M, G or nothing)',
      ],
    ],
    [
      '<start name="a" ram="1" caps="1"><resource name="RAM" quantum="1"/><resource name="RAM" quantum="1"/></start>',
      [
        'm.xml:1:76: a second <resource name="RAM"> in <start>',
        'm.xml:1:25: warning: attribute "ram" of <start> is not looked at beside <resource name="RAM">',
      ],
    ],
    [
      '<start name="a" version="1" ram="1" caps="1"/><start name="a" version="2" ram="1" caps="1"/>',
      ['m.xml:1:55: start node "a" is already defined at m.xml:1:9'],
    ],
    [
      '<start name="a" ram="1" caps="1"/><alias name="a" child="a"/>',
      ['m.xml:1:50: name "a" is already defined at m.xml:1:9'],
    ],
    [
      '<parent-provides><service name="a b"/></parent-provides>',
      [
        'm.xml:1:35: attribute "name" of <service> is "a b", which is no name (ASCII letters, digits, "_", "-", ".", ":")',
      ],
    ],
  ])('%s', (content, expected) => {
    expect(texts(`<config>${content}</config>`)).toEqual(expected);
  });

  it.each([
    ['8', '-3', 3, 0],
    ['8', '-8', 7, 1],
    ['3', '-1', 0, 2],
    ['0', '-1', 0, 1],
    ['1', '-1', 0, 1],
    ['1', '0', 0, 0],
  ])('prio_levels="%s" priority="%s"', (levels, priority, expected, warned) => {
    const { config, warnings } = read(
      `<config prio_levels="${levels}"><start name="a" ram="1M" caps="1" priority="${priority}"/></config>`,
    );
    expect(config.starts[0]?.priority).toBe(expected);
    expect(warnings.length).toBe(warned);
  });

  it.each([
    ['<affinity/>', { xpos: 0, ypos: 0, width: 4, height: 2 }, 0],
    ['<affinity xpos="1"/>', { xpos: 1, ypos: 0, width: 1, height: 2 }, 0],
    ['<affinity ypos="1" xpos="2" width="2"/>', { xpos: 2, ypos: 1, width: 2, height: 1 }, 0],
    ['<affinity width="2"/>', { xpos: 0, ypos: 0, width: 4, height: 2 }, 1],
    ['<affinity ypos="1" height="2"/>', { xpos: 0, ypos: 0, width: 4, height: 2 }, 1],
    ['<affinity xpos="3" width="2"/>', { xpos: 0, ypos: 0, width: 4, height: 2 }, 1],
  ])('%s', (affinity, expected, warned) => {
    const { config, warnings } = read(
      `<config><affinity-space width="4" height="2"/><start name="a" ram="1M" caps="1">${affinity}</start></config>`,
    );
    expect(config.starts[0]?.affinity).toEqual(expected);
    expect(warnings.length).toBe(warned);
  });

  it.each(['*:80', 'localhost:0', '10.0.0.1:65535', '[fe80::1%eth0]:1'])(
    'takes the address %s',
    (address) => {
      const xml = `<config><start name="a" ram="1M" caps="1"><host><tcp listen="${address}"/></host></start></config>`;
      expect(modelOf(xml).starts[0]?.host[0]?.path).toBe(address);
    },
  );

  it.each(['80', ':80', 'a b:80', 'host:', '::1:80', 'host:65536', 'host:80/x'])(
    'refuses the address %s',
    (address) => {
      const xml = `<config><start name="a" ram="1M" caps="1"><host><tcp listen="${address}"/></host></start></config>`;
      expect(texts(xml)).toEqual([
        `m.xml:1:54: attribute "listen" of <tcp> is "${address}", which is not HOST:PORT`,
      ]);
    },
  );
});

describe('INIT_SCHEMA', () => {
  it('is plain data that a manifest can carry', () => {
    expect(schemaFromData(JSON.parse(JSON.stringify(INIT_SCHEMA)))).toEqual(INIT_SCHEMA);
  });
});
