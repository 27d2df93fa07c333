/** log_report: the newest lines of the log come out as a report. */
import { Log } from '@ginit/core';
import { type ConfigNode, readXml } from '@ginit/core/config';
import { Report } from '@ginit/core/report';
import { type ConfigObject, runComponent, script } from '@ginit/core/testing';
import { simulate } from '@ginit/init/testing';
import { expect, test, vi } from 'vitest';
import { ROOT } from '../../../test/house/source-files.ts';
import logReport from '../src/log_report/main.ts';

vi.setConfig({ testTimeout: 60_000 });

/** A `log_report` with this config, and what it has reported. */
async function reporting(config: ConfigObject = {}) {
  const reports: string[] = [];
  const buffers: unknown[] = [];
  const reader = script(Report, (session) => {
    buffers.push(session.args['buffer_size']);
    return { submit: async (content) => void reports.push(new TextDecoder().decode(content)) };
  });
  const run = await runComponent(logReport, { config, services: [reader] });
  const client = async (name: string) => {
    const peer = await run.client(name);
    const session = await peer.connect(Log);
    return (text: string) => session.write(text);
  };
  const newest = (): ConfigNode => readXml(reports.at(-1) ?? '', 'report.xml');
  const lines = (): string[] => newest().children.map((line) => `${line.value('label')}: ${line.text}`);
  return {
    run,
    client,
    reports,
    buffers,
    newest,
    lines,
    [Symbol.asyncDispose]: async () => void (await run.end()),
  };
}

test('lines of all clients become one report after the delay, each with the label of its client', async () => {
  await using place = await reporting();
  const [a, b] = [await place.client('a'), await place.client('b')];
  await a('first');
  await b('second\nthird');
  expect(place.reports).toEqual([]);
  await place.run.advance(100);
  expect(place.reports).toHaveLength(1);
  expect(place.lines()).toEqual(['a: first', 'b: second', 'b: third']);
  expect(place.newest().value('older')).toBe('0');
  await a('<fourth> & "more"');
  await place.run.advance(100);
  expect(place.reports).toHaveLength(2);
  expect(place.lines().at(-1)).toBe('a: <fourth> & "more"');
  expect(place.run.log).toEqual([]);
});

test('the newest lines are kept, by number and by the size of the report, and older ones are counted', async () => {
  await using place = await reporting({ lines: 3 });
  const write = await place.client('a');
  await write('1\n2\n3\n4\n5');
  await place.run.advance(100);
  expect([place.lines(), place.newest().value('older')]).toEqual([['a: 3', 'a: 4', 'a: 5'], '2']);
  await place.run.configure({ lines: 10_000 });
  for (let index = 0; index < 100; index++) await write(`${'"'.repeat(2000)}${index}`);
  await write('the end');
  await place.run.advance(100);
  const report = place.reports.at(-1) ?? '';
  expect(new TextEncoder().encode(report).length).toBeLessThanOrEqual(16 * 1024);
  expect(place.lines().at(-1)).toBe('a: the end');
  expect(place.lines().length + Number(place.newest().value('older'))).toBe(106);
});

test('another buffer opens another session, with the same lines', async () => {
  await using place = await reporting({ delay_ms: 0 });
  const write = await place.client('a');
  await write('one');
  await place.run.advance(1);
  await place.run.configure({ buffer: 32_768, delay_ms: 0 });
  await place.run.settle();
  expect(place.buffers).toEqual([16_384, 32_768]);
  expect(place.lines()).toEqual(['a: one']);
});

test('lines go on to the log where the config says so, and a report that is refused is said once', async () => {
  const run = await runComponent(logReport, {
    config: { forward: true },
    services: [
      script(Report, () => ({
        submit: async () => {
          throw new Error('the paper is out');
        },
      })),
    ],
  });
  const peer = await run.client('a');
  const session = await peer.connect(Log);
  for (const text of ['one\ntwo', 'three']) {
    await session.write(text);
    await run.advance(100);
  }
  const said = run.log.filter((line) => line.includes('is not reported'));
  expect(said).toHaveLength(1);
  expect(run.log.filter((line) => !said.includes(line))).toEqual(['[a] one', '[a] two', '[a] three']);
  await run.end();
});

test('in a system: what one child logs another reads as a ROM module', async () => {
  const config = `<config>
    <parent-provides>
      <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
    </parent-provides>
    <default-route> <any-service> <parent/> </any-service> </default-route>
    <default caps="100" ram="4M"/>
    <start name="talker"> <binary name="dummy"/>
      <config> <log string="one"/> <log string="two"/> <sleep_forever/> </config>
      <route> <service name="LOG"> <child name="log_report"/> </service> <any-service> <parent/> </any-service> </route>
    </start>
    <start name="log_report"> <provides> <service name="LOG"/> </provides> <config/>
      <route> <service name="Report"> <child name="report_rom"/> </service> <any-service> <parent/> </any-service> </route>
    </start>
    <start name="report_rom"> <provides> <service name="ROM"/> <service name="Report"/> </provides>
      <config verbose="yes"> <policy label_prefix="reader" report="log_report -> log"/> </config>
    </start>
    <start name="end"> <binary name="dummy"/> <exit propagate="yes"/> <config> <sleep ms="1000"/> <exit/> </config> </start>
  </config>`;
  const run = await simulate({ config, directory: ROOT, shareModules: true });
  expect(run).toMatchObject({ exitCode: 0, problem: undefined });
  const said = run.log.filter((line) => line.startsWith('[init -> report_rom]')).join('\n');
  expect(said).toContain('<line label="talker">one</line>');
  expect(said).toContain('<line label="talker">two</line>');
  expect(run.log.filter((line) => line.startsWith('[init -> talker]'))).toEqual([]);
});
