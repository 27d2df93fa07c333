/**
 * The state report of a nested init as a manager sees it, and the services that it forwards, in
 * whole systems of one thread: a row for each thing that a report shows or that makes one go out.
 */
import { component, type Component, hasCode, rpc, session, SessionError, text } from '@ginit/core';
import { Report, serveReport } from '@ginit/core/report';
import { expect, test } from 'vitest';
import { runSystem } from '../harness/in-process-system.ts';

const Store = session('Store', {
  ask: rpc<(what: string) => string>({ args: [text(64)], result: text(256) }),
});

/** Serves `Store` and says by which label it knows its client. */
const server = component({ provides: [Store] }, (env) => {
  env.provide(Store, ({ label }) => ({ ask: (what) => `${what} for ${label}` }));
});
const client = component({ requires: [Store] }, async (env) => {
  const store = await env.connect(Store, { label: 'x' });
  await env.log(await store.ask('bread'));
});
const idle = component({}, () => {});
const leaver = component({}, (env) => env.exit(7));
/** Asks for 512K more, and says when it has them. */
const hungry = component({}, async (env) => {
  const { ramQuota } = await env.quota();
  await env.requestResources({ ram: 512 * 1024 });
  await env.log(`${(await env.quota()).ramQuota - ramQuota} more`);
});
/** Offers its service only after it has had one that nobody gives it. */
const stubborn = component({ provides: [Store] }, async (env) => {
  await env.connect(Store, { label: 'own' }).catch((error: unknown) => {
    if (!hasCode(error, 'DENIED')) throw error;
  });
});
const late = component({ provides: [Store] }, () => {});
/** Has no policy for anybody. */
const strict = component({ provides: [Store] }, (env) => {
  env.provide(Store, ({ label }) => {
    throw new SessionError('DENIED', `no policy defined for label "${label.text}"`);
  });
});

/** Takes the reports of init, and ends the system with the first that has all that it waits for. */
function watcher(...wanted: readonly string[]): Component {
  return component({ provides: [Report] }, (env) => {
    env.provide(Report, (context) =>
      serveReport(context, {
        submit: async (content) => {
          const report = new TextDecoder().decode(content);
          if (!wanted.every((part) => report.includes(part))) return;
          await env.log(`report:\n${report}`);
          env.exit(0);
        },
      }),
    );
  });
}

const QUOTA = '<default caps="100" ram="4M"/>';
const PARENT = `<parent-provides> <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/>
  <service name="Timer"/> <service name="Report"/> </parent-provides>`;
const ROUTE = '<default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>';

/** Runs a nested init with this config until the watcher has seen a report that it waits for. */
async function reported(
  watch: Component,
  components: Readonly<Record<string, Component>>,
  content: string,
): Promise<{ readonly report: string; readonly lines: readonly string[] }> {
  const { lines } = await runSystem(
    'shared',
    { ...components, watch },
    `<start name="watch" ram="8M"> <provides> <service name="Report"/> </provides> <exit propagate="yes"/> </start>
     <start name="sub" ram="64M" caps="1500"> <binary name="init"/>
       <config version="5"> ${PARENT} ${ROUTE} ${QUOTA} ${content} </config> </start>`,
  );
  const said = lines.filter((line) => line.startsWith('[init -> watch] ')).map((line) => line.slice(16));
  const end = said.indexOf('</state>');
  return { report: said.slice(1, end + 1).join('\n'), lines };
}

const node = (name: string, more = ''): string =>
  `<start name="${name}"> <binary name="${name}"/> ${more} </start>`;
const SERVER = node('server', '<provides> <service name="Store"/> </provides>');

test('sessions show in both vocabularies, with the label that each side sees', async () => {
  const wanted = 'label="server-label" state="CAP_HANDED_OUT"';
  const route = `<route> <service name="Store"> <child name="server" label="server-label"/> </service>
    <any-service> <parent/> </any-service> </route>`;
  const { report, lines } = await reported(
    watcher(wanted),
    { server, client },
    `<report requested="yes" provided="yes" ids="yes" delay_ms="10"/> ${SERVER} ${node('client', route)}`,
  );
  expect(report).toContain('<state version="5">');
  expect(report).toContain('<child name="server" binary="server" id="1">');
  expect(report).toContain('<child name="client" binary="client" id="2">');
  const sessions = report.split('<child name="client"')[1] ?? '';
  expect(sessions).toContain(
    '<session service="PD" label="client" state="CAP_HANDED_OUT" ram="4K" caps="6"/>',
  );
  expect(sessions).toContain(
    '<session service="LOG" label="client" state="CAP_HANDED_OUT" ram="4K" caps="2"/>',
  );
  expect(sessions).toMatch(
    /<session service="Store" label="client -&gt; x" state="(CREATE_REQUESTED|CAP_HANDED_OUT)"/,
  );
  expect(sessions).toContain('<provided/>');
  expect(lines).toContain('[init -> sub -> client] bread for server-label');
});

test('an exit goes out at once; quota is shown where that is asked for', async () => {
  const { report } = await reported(
    watcher('exited="7"'),
    { leaver, idle },
    `<report child_ram="yes" child_caps="yes" init_ram="yes" init_caps="yes" delay_ms="3600000" vocabulary="26.04"/>
     ${node('leaver')} ${node('idle')}`,
  );
  expect(report).toMatch(
    /^<state version="5">\n {2}<ram quota="\d+[KMG]?" used="\d+[KMG]?" avail="\d+[KMG]?"\/>\n {2}<caps quota="1285" /,
  );
  expect(report).toContain('<child name="leaver" binary="leaver" exited="7">');
  expect(report).toMatch(/<ram assigned="4M" quota="\d+K?" used="\d+K?" avail="\d+K?"\/>/);
  expect(report).toMatch(/<caps assigned="100" quota="\d+" used="\d+" avail="\d+"\/>/);
});

test('a resource request goes out at once, and init grants nothing by itself', async () => {
  const { report, lines } = await reported(
    watcher('requested='),
    { hungry },
    `<report child_ram="yes" why="yes" delay_ms="3600000"/> ${node('hungry')}`,
  );
  expect(report).toContain('why="RAM 512K short"');
  expect(report).toMatch(/<ram assigned="4M" [^>]*requested="512K"\/>/);
  expect(lines).toContain('[init -> sub] child "hungry" requests resources: ram_quota=524288');
  expect(lines.some((line) => line.includes('more'))).toBe(false);
});

test('up to ram_limit init grants what a child asks for, and the report shows what it is assigned', async () => {
  const { report, lines } = await reported(
    watcher('assigned="4608K"'),
    { hungry },
    `<report child_ram="yes" why="yes" delay_ms="10"/>
     <start name="hungry" ram_limit="8M"> <binary name="hungry"/> </start>`,
  );
  expect(report).not.toContain('requested=');
  expect(report).not.toContain('why=');
  expect(lines).toContain('[init -> sub -> hungry] 524288 more');
});

test.each([
  [
    'no route',
    node(
      'stubborn',
      '<provides> <service name="Store"/> </provides> <route> <any-service> <parent/> </any-service> </route>',
    ),
    'no route for Store &quot;own&quot;',
  ],
  [
    'a route to a child that does not provide the service',
    `${node('idle')} ${node('stubborn', '<provides> <service name="Store"/> </provides> <route> <service name="Store"> <child name="idle"/> </service> <any-service> <parent/> </any-service> </route>')}`,
    'route leads to &quot;idle&quot;, which does not provide Store',
  ],
  [
    'a server that denies it',
    `${node('strict', '<provides> <service name="Store"/> </provides>')} ${node('stubborn', '<provides> <service name="Store"/> </provides> <route> <service name="Store"> <child name="strict"/> </service> <any-service> <parent/> </any-service> </route>')}`,
    'denied by &quot;strict&quot; (no policy defined for label &quot;stubborn -&gt; own&quot;)',
  ],
  [
    'a server that does not answer',
    `${node('late', '<provides> <service name="Store"/> </provides>')} ${node('client')}`,
    'waiting for &quot;late&quot; to answer',
  ],
])('the report says why a child waits: %s', async (_, starts, why) => {
  const { report } = await reported(
    watcher(`why="${why}"`),
    { stubborn, idle, late, strict, client },
    `<report why="yes" delay_ms="10"/> ${starts}`,
  );
  expect(report).toContain(why);
});

test('a child that cannot be created is left out, unless the report says why', async () => {
  const poor = '<start name="poor" ram="900M"> <binary name="idle"/> </start>';
  const kept = await reported(watcher('short'), { idle }, `<report why="yes" delay_ms="10"/> ${poor}`);
  expect(kept.report).toContain('<child name="poor" binary="idle" state="incomplete" why="RAM ');
  const left = await reported(
    watcher('<child name="idle" binary="idle"/>'),
    { idle },
    `<report delay_ms="300"/> ${poor} ${node('idle')}`,
  );
  expect(left.report).not.toContain('poor');
});

test('init forwards a service of its children by the policies of its config', async () => {
  const visitor = component({ requires: [Store] }, async (env) => {
    const store = await env.connect(Store, { label: 'a' });
    await env.log(await store.ask('bread'));
    await env.connect(Store, { label: 'b' }).catch((error: Error) => env.log(error.message));
    await env.close(store);
    env.exit(0);
  });
  const { lines } = await runSystem(
    'shared',
    { server, visitor },
    `<start name="sub" ram="32M" caps="600"> <binary name="init"/> <provides> <service name="Store"/> </provides>
       <config> ${PARENT} ${ROUTE} ${QUOTA} ${SERVER} <alias name="shop" child="server"/>
         <service name="Store"> <policy label="visitor -> a"> <child name="shop" label="guest"/> </policy> </service>
       </config> </start>
     <start name="visitor"> <exit propagate="yes"/> </start>`,
  );
  const said = lines.filter((line) => line.startsWith('[init -> visitor]'));
  expect(said).toEqual([
    '[init -> visitor] bread for guest',
    expect.stringContaining('no policy defined for label "visitor -> b"'),
  ]);
});

test('the children of a config go out at once', async () => {
  const { report } = await reported(
    watcher('<child name="idle" binary="idle"'),
    { idle },
    `<report delay_ms="3600000"/> ${node('idle')}`,
  );
  expect(report).toContain('<state version="5">');
});

test('generate_xml="no" makes the report HID', async () => {
  const { lines } = await runSystem(
    'shared',
    { idle, watch: watcher('child idle') },
    `<start name="watch" ram="8M"> <provides> <service name="Report"/> </provides> <exit propagate="yes"/> </start>
     <start name="sub" ram="64M" caps="1500"> <binary name="init"/>
       <config version="5" generate_xml="no"> ${PARENT} ${ROUTE} ${QUOTA} <report delay_ms="10"/> ${node('idle')} </config> </start>`,
  );
  const said = lines.filter((line) => line.startsWith('[init -> watch] ')).map((line) => line.slice(16));
  expect(said[1]).toBe('state | version: 5');
});
