/**
 * Tests what a new config changes, row by row of the rules of Genode's init: which children are
 * started, stopped, restarted and left alone, and why.
 */
import { describe, expect, test } from 'vitest';
import { type InitConfig, nestedConfigOf, readInitConfig, type StartNode } from '../src/model/index.ts';
import {
  describeChange,
  describePlan,
  type ExistingChild,
  expectedChildren,
  planChanges,
  type Planner,
  planTree,
  type RoutedSession,
  type Standing,
} from '../src/plan/index.ts';
import { readXml } from '@ginit/core/config';

const DEFAULT_ROUTE = '<default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>';
const PARENT_PROVIDES = `<parent-provides>
  <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/>
</parent-provides>`;

const config = (starts: string, around = PARENT_PROVIDES + DEFAULT_ROUTE) => {
  const text = `<config> ${around} <default ram="4M" caps="100"/> ${starts} </config>`;
  const { config: read, errors } = readInitConfig(readXml(text, 'system.xml'));
  expect(errors).toEqual([]);
  return read;
};
const server = (name: string, inner = '', service = 'Store') =>
  `<start name="${name}"> <binary name="server"/> <provides> <service name="${service}"/> </provides> ${inner} </start>`;
const client = (name: string, inner = '', attributes = '') =>
  `<start name="${name}" ${attributes}> <binary name="client"/> ${inner} </start>`;
/** A route by which Store leads to a child, and everything else to the parent. */
const via = (target: string) =>
  `<route> <service name="Store"> ${target} </service> <any-service> <parent/> </any-service> </route>`;

/** The children of a system that runs by this config, whose clients use Store. */
const running = (starts: string, around?: string): ExistingChild[] =>
  expectedChildren(config(starts, around), ({ binary }) => (binary.name === 'client' ? ['Store'] : []));

/** What a config changes, in words. */
const changes = (
  children: readonly ExistingChild[],
  starts: string,
  around?: string,
  forced = new Map<string, string>(),
) => planChanges(children, config(starts, around), { forced }).flatMap(describeChange);

/** The same children, one of them standing otherwise. */
const standing = (children: readonly ExistingChild[], name: string, other: Partial<ExistingChild>) =>
  children.map((child) => (child.start.name === name ? { ...child, ...other } : child));

const TWO = server('a') + client('c', via('<child name="a"/>'));

test('applying a config twice changes nothing, wherever its nodes stand in the text', () => {
  expect(changes(running(TWO), TWO)).toEqual([]);
  expect(changes(running(TWO), `\n\n  ${TWO}`)).toEqual([]);
  const swapped = TWO.replace('<binary name="server"/>', '').replace(
    '<start name="a">',
    '<start name="a"> <binary name="server"/>',
  );
  expect(changes(running(TWO), swapped)).toEqual([]);
});

describe('children that come and go', () => {
  test('child removed: it is stopped, and its client has no route any more', () => {
    expect(changes(running(TWO), client('c', via('<child name="a"/>')))).toEqual([
      'stuck "c": no target of this route provides service "Store"',
      'stop "a": it is not named any more',
    ]);
  });

  test('child removed: a client that has another route is restarted with it', () => {
    const both = via('<child name="a"/> <child name="b"/>');
    expect(
      changes(running(server('a') + server('b') + client('c', both)), server('b') + client('c', both)),
    ).toEqual([
      'restart "c": its Store session leads to "b" (label "c -> ") now',
      '  re-route Store "c -> " to "b" (label "c -> ")',
      'stop "a": it is not named any more',
    ]);
  });

  test('child added: it is started, and a child that was stuck because of it is restarted', () => {
    const stuck = standing(running(TWO).slice(1), 'c', { standing: 'stuck' });
    expect(changes(stuck, TWO)).toEqual([
      'start "a": it is new',
      'restart "c": all of its sessions have a route again',
    ]);
  });

  test('child added: one that makes <any-child> ambiguous leaves clients of it stuck', () => {
    const any = via('<any-child/>');
    const [change] = changes(
      running(server('a') + client('c', any)),
      server('a') + server('b') + client('c', any),
    );
    expect(change).toBe('start "b": it is new');
    expect(
      changes(running(server('a') + client('c', any)), server('a') + server('b') + client('c', any))[1],
    ).toContain('stuck "c": <any-child> is ambiguous');
  });

  test('a stuck child stays as it is while a route is missing', () => {
    const stuck = standing(running(TWO).slice(1), 'c', { standing: 'stuck' });
    expect(changes(stuck, client('c', `${via('<child name="a"/>')} <config x="1"/>`, 'ram="8M"'))).toEqual(
      [],
    );
  });

  test('a stuck child is restarted when its own route leads somewhere again', () => {
    const stuck = standing(running(TWO), 'c', { standing: 'stuck' });
    expect(changes(stuck, server('a') + client('c', via('<child name="a" label="x"/>')))[0]).toBe(
      'restart "c": all of its sessions have a route again',
    );
  });

  test('a child that could not be created is tried again, and its clients wait for that', () => {
    const failed = standing(standing(running(TWO), 'a', { standing: 'failed', sessions: [] }), 'c', {
      standing: 'stuck',
    });
    expect(changes(failed, TWO)).toEqual(['start "a": it could not be started before']);
  });
});

describe('routes', () => {
  test('own route changed, same result: nothing', () => {
    const other = '<route> <any-service> <child name="a"/> <parent/> </any-service> </route>';
    expect(changes(running(TWO), server('a') + client('c', other))).toEqual([]);
  });

  test('own route changed, different service or label: restart', () => {
    const [a, b] = [server('a'), server('b')];
    const before = running(a + b + client('c', via('<child name="a"/>')));
    expect(changes(before, a + b + client('c', via('<child name="b"/>')))[0]).toBe(
      'restart "c": its Store session leads to "b" (label "c -> ") now',
    );
    expect(changes(before, a + b + client('c', via('<child name="a" label="x"/>')))[0]).toBe(
      'restart "c": its Store session leads to "a" (label "x") now',
    );
  });

  test('a <route> that comes or goes, and a changed <default-route>, are looked at like a changed one', () => {
    const plain = server('a') + client('c');
    expect(changes(running(plain), TWO)).toEqual([]);
    const relabelled = server('a') + client('c', via('<child name="a" label="x"/>'));
    expect(changes(running(plain), relabelled)).toHaveLength(2);
    expect(changes(running(relabelled), plain)).toHaveLength(2);
    const route =
      '<default-route> <service name="Store"> <child name="a" label="x"/> </service> <any-service> <parent/> </any-service> </default-route>';
    expect(changes(running(plain), plain, PARENT_PROVIDES + route)[0]).toContain('restart "c"');
  });

  test('the restart of a server goes on to its clients, and theirs', () => {
    const chain = (version: string) =>
      client('c', via('<child name="b"/>')) +
      `<start name="b"> <binary name="client"/> <provides> <service name="Store"/> </provides> ${via('<child name="a"/>')} </start>` +
      server('a').replace('<start ', `<start version="${version}" `) +
      client('far', via('<child name="z"/>')) +
      server('z');
    expect(changes(running(chain('1')), chain('2'))).toEqual([
      'restart "c": its server "b" is another one',
      'restart "b": its server "a" is another one',
      'restart "a": it has another version',
    ]);
  });

  test('a service of the parent that is not offered any more leaves its clients stuck', () => {
    const without = PARENT_PROVIDES.replace('<service name="LOG"/>', '') + DEFAULT_ROUTE;
    expect(changes(running(server('a')), server('a'), without)).toEqual([
      'stuck "a": no route to service "LOG" (label="a")',
    ]);
  });
});

describe('start nodes', () => {
  test('inline config content: ROM update only', () => {
    const before = server('a', '<config> <x/> </config>');
    expect(changes(running(before), server('a', '<config> <y/> </config>'))).toEqual(['new config for "a"']);
  });

  test('inline config appeared: an update for a child that nobody gave another config, else a restart', () => {
    expect(changes(running(server('a')), server('a', '<config/>'))).toEqual(['new config for "a"']);
    const rom = server('rom', '', 'ROM');
    const routed =
      '<route> <service name="ROM" label="config"> <child name="rom"/> </service> <any-service> <parent/> </any-service> </route>';
    expect(changes(running(rom + server('a', routed)), rom + server('a', `${routed} <config/>`))).toEqual([
      'restart "a": its ROM session leads to its own <config> now',
      '  re-route ROM "a -> config" to its own <config>',
    ]);
  });

  test('inline config vanished: restart', () => {
    expect(changes(running(server('a', '<config/>')), server('a'))[0]).toBe(
      'restart "a": its <config> is not there any more',
    );
  });

  test('ram/caps up and down: re-budget', () => {
    expect(changes(running(client('c', '', 'ram="4M"')), client('c', '', 'ram="8M" caps="90"'))).toEqual([
      're-budget "c": 4M of ram and 100 caps become 8M of ram and 90 caps',
    ]);
  });

  test('binary name: restart only if the resolved ROM route differs', () => {
    expect(changes(running(server('a')), server('a').replace('"server"', '"other"'))[0]).toBe(
      'restart "a": its ROM session leads to the parent (label "other") now',
    );
    const fixed =
      '<route> <service name="ROM" label_last="server"> <parent label="server"/> </service> <service name="ROM" label_last="other"> <parent label="server"/> </service> <any-service> <parent/> </any-service> </route>';
    expect(
      changes(running(server('a', fixed)), server('a', fixed).replace('name="server"', 'name="other"')),
    ).toEqual([]);
  });

  test('provided service added/removed: server untouched; clients restarted / stuck', () => {
    const other = server('a', '', 'Other') + client('c', via('<child name="a"/>'));
    expect(changes(running(TWO), other)).toEqual([
      'services of "a": "Other" added, "Store" removed',
      'stuck "c": no target of this route provides service "Store"',
    ]);
    const stuck = standing(running(other), 'c', {
      standing: 'stuck',
      sessions: running(TWO)[1]?.sessions ?? [],
    });
    expect(changes(stuck, TWO)).toEqual([
      'services of "a": "Store" added, "Other" removed',
      'restart "c": all of its sessions have a route again',
    ]);
  });

  test('version: restart', () => {
    expect(changes(running(client('c', '', 'version="1"')), client('c', '', 'version="2"'))).toEqual([
      'restart "c": it has another version',
    ]);
    expect(changes(running(client('c')), client('c', '', 'version="2"'))).toHaveLength(1);
  });

  test('exited child, anything but name/version: stays exited', () => {
    const exited = standing(running(client('c')), 'c', { standing: 'exited', sessions: [] });
    expect(changes(exited, client('c', '<config x="1"/>', 'ram="8M"'))).toEqual([]);
    expect(changes(exited, client('c', '', 'version="2"'))).toEqual(['start "c": it has another version']);
  });

  test('a crashed child is started again when its start node says something else, and stays down otherwise', () => {
    const crashed = standing(running(client('c')), 'c', { standing: 'crashed', sessions: [] });
    expect(changes(crashed, client('c'))).toEqual([]);
    expect(changes(crashed, client('c', '<config x="1"/>'))).toEqual([
      'start "c": it had crashed, and its start node has changed',
    ]);
  });

  test('priority, affinity, managing_system, ld: no effect on a running child', () => {
    const around = `${PARENT_PROVIDES} ${DEFAULT_ROUTE} <affinity-space width="4"/>`;
    const same = client('c', '<affinity xpos="1"/>', 'priority="0" managing_system="yes" ld="yes"');
    expect(changes(running(client('c'), around), same, around)).toEqual([]);
  });

  test('another place to run, another heap or other grants: restart', () => {
    const grant = '<host> <file path="x"/> </host>';
    const before = running(client('c', grant));
    expect(changes(before, client('c'))).toEqual(['restart "c": its grants of the host have changed']);
    expect(changes(running(client('c')), client('c', '', 'isolation="process"'))).toEqual([
      'restart "c": it is to run elsewhere',
    ]);
    expect(changes(running(client('c')), client('c', '', 'heap="64M"'))).toEqual([
      'restart "c": the bound of its heap has changed',
    ]);
  });
});

describe('reattach="yes"', () => {
  const faithful = client('c', via('<child name="a"/>'), 'reattach="yes"');
  const forced = new Map([['a', 'somebody asked for it']]);

  test('a server that is another one: the client stays and takes its session anew', () => {
    expect(changes(running(server('a') + faithful), server('a') + faithful, undefined, forced)).toEqual([
      'restart "a": somebody asked for it',
      're-attach "c": its server "a" is another one',
      '  new Store session "c -> " at "a" (label "c -> ")',
    ]);
  });

  test('the restart of a server ends at a client that stays: its own clients are not touched', () => {
    const middle = `<start name="b" reattach="yes"> <binary name="client"/>
      <provides> <service name="Shop"/> </provides> ${via('<child name="a"/>')} </start>`;
    const last = `<start name="d"> <binary name="buyer"/>
      <route> <service name="Shop"> <child name="b"/> </service> <any-service> <parent/> </any-service> </route>
    </start>`;
    const starts = server('a') + middle + last;
    const needs: Record<string, readonly string[]> = { client: ['Store'], buyer: ['Shop'] };
    const children = expectedChildren(config(starts), ({ binary }) => needs[binary.name] ?? []);
    expect(changes(children, starts, undefined, forced).filter((line) => !line.startsWith(' '))).toEqual([
      'restart "a": somebody asked for it',
      're-attach "b": its server "a" is another one',
    ]);
    const without = starts.replace('reattach="yes"', '');
    expect(changes(children, without, undefined, forced).map((line) => line.slice(0, 11))).toEqual([
      'restart "a"',
      'restart "b"',
      'restart "d"',
    ]);
  });

  test('no route any more: the client is not stuck, and waits for one', () => {
    expect(changes(running(server('a') + faithful), faithful)).toEqual([
      're-attach "c": no target of this route provides service "Store"',
      '  no Store session "c -> " until there is a route for it',
      'stop "a": it is not named any more',
    ]);
  });

  test('own route changed: restart, as without it', () => {
    const elsewhere = client('c', via('<child name="b"/>'), 'reattach="yes"');
    const both = server('a') + server('b');
    expect(changes(running(both + faithful), both + elsewhere)).toEqual([
      'restart "c": its Store session leads to "b" (label "c -> ") now',
      '  re-route Store "c -> " to "b" (label "c -> ")',
    ]);
  });

  test('a session that the client cannot take anew, or its binary or account: restart', () => {
    const children = running(server('a') + faithful);
    const c = children[1]?.sessions ?? [];
    const sessions = c.map(({ service, label, to }): RoutedSession => ({ service, label, to }));
    const once = standing(children, 'c', { sessions });
    expect(changes(once, server('a') + faithful, undefined, forced)[1]).toBe(
      'restart "c": its server "a" is another one',
    );
    const roms = `<start name="roms"> <provides> <service name="ROM"/> </provides> </start>`;
    const fed = client(
      'c',
      '<route> <service name="ROM"> <child name="roms"/> </service> <any-service> <parent/> </any-service> </route>',
      'reattach="yes"',
    );
    const asked = new Map([['roms', 'somebody asked for it']]);
    const fedChildren = expectedChildren(config(roms + fed), () => []);
    expect(changes(fedChildren, roms + fed, undefined, asked)[1]).toBe(
      'restart "c": its server "roms" is another one',
    );
  });
});

describe('replace="ready"', () => {
  const node = (attributes = '', inner = '') =>
    `<start name="a" replace="ready" ${attributes}> <binary name="server"/>
      <provides> <service name="Store"/> </provides> ${inner} </start>`;
  const clients =
    client('c', via('<child name="a"/>'), 'reattach="yes"') + client('d', via('<child name="a"/>'));
  const replace = (why: string) => [
    `replace "a" when another is ready: ${why}`,
    '  it takes 4M of ram and 100 caps more until then',
  ];
  const after = [
    're-attach "c" when "a" is replaced: its server "a" is another one',
    '  new Store session "c -> " at "a" (label "c -> ")',
    'restart "d" when "a" is replaced: its server "a" is another one',
  ];
  const old = running(node() + clients);

  test('version, place and binary, and whoever asks for a restart: a replacement; its clients follow when it is ready', () => {
    expect(changes(old, node('version="2"') + clients)).toEqual([
      ...replace('it has another version'),
      ...after,
    ]);
    expect(changes(old, node('heap="64M"') + clients)).toEqual([
      ...replace('the bound of its heap has changed'),
      ...after,
    ]);
    const other = node().replace('name="server"', 'name="other"');
    expect(changes(old, other + clients)[0]).toMatch(/^replace "a" when another is ready: its ROM session/);
    const forced = new Map([['a', 'somebody asked for it']]);
    expect(changes(old, node() + clients, undefined, forced)).toEqual([
      ...replace('somebody asked for it'),
      ...after,
    ]);
  });

  test('what else the config says of the clients comes at once', () => {
    const richer = clients.replace('<start name="d"', '<start name="d" ram="8M"');
    expect(changes(old, node('version="2"') + richer)).toEqual([
      ...replace('it has another version'),
      ...after.slice(0, 2),
      're-budget "d": 4M of ram and 100 caps become 8M of ram and 100 caps',
      after[2],
    ]);
  });

  test('when it is ready the same follows as from a restart', () => {
    const next = config(node('version="2"') + clients);
    const kinds = planChanges(old, next, { ready: new Set(['a']) }).map(({ kind }) => kind);
    expect(kinds).toEqual(['restart', 'reattach', 'restart']);
  });

  test('a child that has not offered its services yet, or loses its own server, cannot go on: restart', () => {
    const young = standing(old, 'a', { ready: false });
    expect(changes(young, node('version="2"') + clients)[0]).toBe('restart "a": it has another version');
    const below = server('b', '', 'Shop');
    const shop = (version: string) =>
      `<start name="a" replace="ready" version="${version}"> <binary name="buyer"/>
        <provides> <service name="Store"/> </provides>
        <route> <service name="Shop"> <child name="b"/> </service> <any-service> <parent/> </any-service> </route>
      </start>`;
    const both = expectedChildren(config(below + shop('1')), ({ binary }) =>
      binary.name === 'buyer' ? ['Shop'] : [],
    );
    const asked = new Map([['b', 'somebody asked for it']]);
    expect(changes(both, below + shop('2'), undefined, asked)).toEqual([
      'restart "b": somebody asked for it',
      'restart "a": its server "b" is another one',
    ]);
  });
});

test('a restart that somebody asks for spreads like one of the config', () => {
  const asked = new Map([['a', 'somebody asked for it']]);
  expect(changes(running(TWO), TWO, undefined, asked)).toEqual([
    'restart "a": somebody asked for it',
    'restart "c": its server "a" is another one',
  ]);
  for (const over of ['exited', 'crashed'] satisfies Standing[]) {
    const sessions: RoutedSession[] = [];
    const children = standing(running(client('a')), 'a', { standing: over, sessions });
    expect(changes(children, client('a'), undefined, asked)).toEqual(['start "a": somebody asked for it']);
  }
});

describe('below a nested init', () => {
  const inner = (starts: string) =>
    `<start name="sub" ram="40M" caps="900"> <binary name="init"/>
      <config> ${PARENT_PROVIDES} ${DEFAULT_ROUTE} <default ram="4M" caps="100"/> ${starts} </config> </start>`;
  /**
   * A plan of which each init says its part as if it had no other children than those of `before`.
   */
  const tree = (before: string, after: string, silent?: string) => {
    const planner: Planner = (path, next) => {
      if (path === silent && path !== undefined) return Promise.resolve(undefined);
      let old: InitConfig | undefined = config(before);
      for (const name of path?.split(' -> ') ?? []) {
        const start: StartNode | undefined = old?.starts.find((one) => one.name === name);
        old = start && nestedConfigOf(start);
      }
      return Promise.resolve(
        old &&
          describePlan(
            planChanges(
              expectedChildren(old, () => []),
              next,
            ),
          ),
      );
    };
    return planTree(planner, config(after));
  };

  test('stands what changes inside, set in, and so on downward', async () => {
    const before = inner(`${server('a')} ${client('old')} ${inner(server('deep'))}`);
    const after = inner(`${server('a')} ${client('new')} ${inner(server('deep', '', 'Other'))}`);
    expect(await tree(`${client('top')} ${before}`, `${client('top')} ${after}`)).toEqual([
      'new config for "sub"',
      '  start "new": it is new',
      '  new config for "sub"',
      '    services of "deep": "Other" added, "Store" removed',
      '  stop "old": it is not named any more',
    ]);
  });

  test('stands nothing if the init is started again, or changes itself only', async () => {
    const before = inner(server('a'));
    expect(await tree(before, before.replace('name="sub"', 'name="sub" version="2"'))).toEqual([
      'restart "sub": it has another version',
    ]);
    expect(await tree(before, before.replace('<config>', '<config verbose="yes">'))).toEqual([
      'new config for "sub"',
    ]);
  });

  test('it is said if the init does not answer', async () => {
    expect(await tree(inner(server('a')), inner(server('b')), 'sub')).toEqual([
      'new config for "sub"',
      '  it does not say what that changes inside',
    ]);
  });
});
