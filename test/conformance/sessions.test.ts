/**
 * Sessions: routing, denial, quota, mediators, third parties and packet streams, on every carrier
 * alike.
 */
import { component, nothing, rpc, session, SessionError, text } from '@ginit/core';
import { Packet } from '@ginit/core/packet-stream';
import { Block, BLOCK_OPERATION, BLOCK_STATUS } from '@ginit/core/block';
import { describe, expect, test } from 'vitest';
import { type CarrierKind, runSystem } from '../harness/in-process-system.ts';
import { allLongIf } from '../harness/long.ts';

const MIB = 1024 * 1024;

const Echo = session('Echo', {
  say: rpc<(words: string) => string>({ args: [text()], result: text() }),
  shout: rpc<(words: string) => void>({ args: [text()], result: nothing }),
});

const echo = component({ provides: [Echo] }, (env) => {
  env.provide(Echo, ({ label, ram, caps, args }) => {
    if (label.last === 'forbidden') throw new SessionError('DENIED', 'by policy');
    if (label.last === 'greedy' && ram < 10_000) throw new SessionError('INSUFFICIENT_RAM');
    return {
      say: (words) => `${label.text}: ${words} ${ram} ${caps} ${JSON.stringify(args)}`,
      shout: (words) => void env.log(words.toUpperCase()),
      [Symbol.dispose]: () => void env.log(`closed ${label.last}`),
    };
  });
});

/** Hands the sessions of its clients on to the echo server. */
const relay = component({ provides: [Echo], requires: [Echo] }, (env) => {
  env.provide(Echo, ({ label, args, ram, caps }) =>
    env.request(Echo, { label: `via-${label.last}`, args, donation: { ram, caps } }),
  );
});

/**
 * A block device that answers every read with bytes of the block's number, in reverse order of
 * arrival.
 */
const patterns = component({ provides: [Block] }, (env) => {
  env.provide(Block, ({ streams }) => {
    const serve = async (): Promise<void> => {
      const sink = await streams.tx;
      sink.onWake(() => {
        const taken: Packet[] = [];
        for (let packet = new Packet(); sink.next(packet); packet = new Packet()) taken.push(packet);
        for (const packet of taken.toReversed()) {
          if (packet.operation === BLOCK_OPERATION.read) sink.payload(packet).fill(packet.position % 251);
          packet.status = BLOCK_STATUS.ok;
          sink.acknowledge(packet);
        }
        sink.wakeup();
      });
    };
    serve().catch(() => {});
    return { info: () => ({ blockSize: 512, blockCount: 1000, alignLog2: 12, writeable: true }) };
  });
});

const MAIN_ROUTE =
  '<route> <service name="Echo"> <child name="echo"/> </service> <any-service> <parent/> </any-service> </route>';

const ECHO_AND_CLIENT = `<start name="echo"> <provides> <service name="Echo"/> </provides> </start>
  <start name="client"> <exit propagate="yes"/> </start>`;

describe.each<CarrierKind>(['shared', 'copying', 'tiny rings', 'bus'])(
  'over a carrier that is %s',
  (kind) => {
    allLongIf(kind === 'bus');
    test('a session is denied by its server, by the routes, and by a server that is not there', async () => {
      const client = component({}, async (env) => {
        for (const label of ['forbidden', 'nowhere']) {
          const why = await env.connect(Echo, { label }).catch((error: unknown) => error);
          await env.log(why instanceof SessionError ? `${why.code} ${why.message}` : String(why));
        }
        env.exit(0);
      });
      const { lines } = await runSystem(
        kind,
        { echo, client },
        `<start name="echo"> <provides> <service name="Echo"/> </provides> </start>
       <start name="client"> <exit propagate="yes"/>
         <route> <service name="Echo" label="forbidden"> <child name="echo"/> </service>
           <service name="LOG"> <parent/> </service> <service name="PD"> <parent/> </service>
           <service name="CPU"> <parent/> </service> <service name="ROM"> <parent/> </service> </route> </start>`,
      );
      expect(lines).toContain('[init -> client] DENIED Echo session "forbidden": DENIED: by policy');
      expect(lines.join('\n')).toMatch(
        /\[init -> client\] DENIED Echo session "nowhere": DENIED: no route to service/,
      );
    });

    test('a server that wants more quota is given more, and closing returns every byte', async () => {
      const client = component({}, async (env) => {
        const before = await env.quota();
        const greedy = await env.connect(Echo, {
          label: 'greedy',
          args: { colour: 'red', count: 3, wide: true },
        });
        await env.log(await greedy.say('hi'));
        const during = await env.quota();
        await env.upgrade(greedy, { ram: 1000, caps: 2 });
        await env.log(`donated ${before.ramQuota - during.ramQuota >= 10_000}`);
        await env.close(greedy);
        const after = await env.quota();
        await env.log(`back ${after.ramQuota === before.ramQuota && after.capQuota === before.capQuota}`);
        env.exit(0);
      });
      const { lines } = await runSystem(kind, { echo, client }, ECHO_AND_CLIENT);
      expect(lines.join('\n')).toContain('{"colour":"red","count":3,"wide":true}');
      expect(lines).toEqual(
        expect.arrayContaining([
          '[init -> client] donated true',
          '[init -> client] back true',
          '[init -> echo] closed greedy',
        ]),
      );
    });

    test('disposing a session closes it at its server', async () => {
      const client = component({}, async (env) => {
        const before = await env.quota();
        const brief = await env.connect(Echo, { label: 'brief' });
        await brief.say('hi');
        brief[Symbol.dispose]();
        while ((await env.quota()).ramQuota !== before.ramQuota) await env.timer.sleep(1);
        const late = await brief.say('still there?').catch((error: unknown) => String(error));
        await env.log(late);
        env.exit(0);
      });
      // The timer's own session stays open, so it is opened before the quota is looked at.
      const withTimer = component({}, async (env) => {
        await env.timer.elapsedUs();
        await client.main(env);
      });
      const { end, lines } = await runSystem(kind, { echo, client: withTimer }, ECHO_AND_CLIENT);
      expect(end).toEqual({ kind: 'exit', code: 0 });
      expect(lines).toContain('[init -> echo] closed brief');
      expect(lines.join('\n')).toMatch(/\[init -> client\] RpcError: the capability was released/);
    });

    test('a donation of more than a component has is refused, and nothing is lost', async () => {
      const client = component({}, async (env) => {
        const before = await env.quota();
        const why = await env.connect(Echo, { ram: 100 * MIB }).catch((error: unknown) => error);
        await env.log(why instanceof SessionError ? why.code : String(why));
        const caps = await env.connect(Echo, { caps: 5000 }).catch((error: unknown) => error);
        await env.log(caps instanceof SessionError ? caps.code : String(caps));
        const after = await env.quota();
        await env.log(`same ${JSON.stringify(after) === JSON.stringify(before)}`);
        env.exit(0);
      });
      const { lines } = await runSystem(kind, { echo, client }, ECHO_AND_CLIENT);
      expect(lines).toEqual(
        expect.arrayContaining([
          '[init -> client] OUT_OF_RAM',
          '[init -> client] OUT_OF_CAPS',
          '[init -> client] same true',
        ]),
      );
    });

    test('a mediator hands on a session it does not serve', async () => {
      const client = component({}, async (env) => {
        const before = await env.quota();
        const through = await env.connect(Echo, { label: 'front' });
        await env.log(await through.say('hello'));
        await env.close(through);
        await env.log(`back ${(await env.quota()).ramQuota === before.ramQuota}`);
        env.exit(0);
      });
      const { lines } = await runSystem(
        kind,
        { echo, relay, client },
        `<start name="echo"> <provides> <service name="Echo"/> </provides> </start>
       <start name="relay"> <provides> <service name="Echo"/> </provides> ${MAIN_ROUTE} </start>
       <start name="client"> <exit propagate="yes"/>
         <route> <service name="Echo"> <child name="relay"/> </service> <any-service> <parent/> </any-service> </route>
       </start>`,
      );
      expect(lines.join('\n')).toContain('[init -> client] relay -> via-front: hello');
      expect(lines).toContain('[init -> echo] closed via-front');
      expect(lines).toContain('[init -> client] back true');
    });

    test('a packet stream carries many packets, answered out of order', async () => {
      const client = component({}, async (env) => {
        const device = await env.connect(Block, { args: { tx_buf_size: 256 * 1024 } });
        const info = await device.info();
        const source = device.tx;
        const packet = new Packet();
        const wanted = 500;
        let sent = 0;
        let good = 0;
        let answered = 0;
        await new Promise<void>((resolve) => {
          const pump = (): void => {
            while (source.nextAcknowledged(packet)) {
              answered++;
              const bytes = source.payload(packet.offset, packet.size);
              if (bytes[0] === packet.position % 251 && bytes[511] === bytes[0]) good++;
              source.free(packet.offset);
            }
            while (sent < wanted && source.ready()) {
              const offset = source.allocate(info.blockSize);
              if (offset < 0) break;
              packet.clear();
              packet.operation = BLOCK_OPERATION.read;
              packet.offset = offset;
              packet.size = info.blockSize;
              packet.position = sent;
              packet.count = 1;
              if (!source.submit(packet)) break;
              sent++;
            }
            source.wakeup();
            if (answered === wanted) resolve();
          };
          source.onWake(pump);
          pump();
        });
        await env.log(`${good} of ${answered} good`);
        await env.close(device);
        env.exit(0);
      });
      const { lines } = await runSystem(
        kind,
        { patterns, client },
        `<start name="patterns"> <provides> <service name="Block"/> </provides> </start>
       <start name="client"> <exit propagate="yes"/> </start>`,
      );
      expect(lines).toContain('[init -> client] 500 of 500 good');
    });

    test('an init below init routes, donates and stops like the outermost one', async () => {
      const client = component({}, async (env) => {
        const before = await env.quota();
        const far = await env.connect(Echo, { label: 'far' });
        await env.log(await far.say('hello'));
        await env.close(far);
        await env.log(`back ${(await env.quota()).ramQuota === before.ramQuota}`);
        env.exit(7);
      });
      const { end, lines } = await runSystem(
        kind,
        { echo, client },
        `<start name="echo"> <provides> <service name="Echo"/> </provides> </start>
       <start name="sub" ram="16M" caps="300"> <binary name="init"/> <exit propagate="yes"/>
         <config>
           <parent-provides> <service name="Echo"/> <service name="ROM"/> <service name="LOG"/>
             <service name="PD"/> <service name="CPU"/> <service name="Timer"/> </parent-provides>
           <default-route> <any-service> <parent/> </any-service> </default-route>
           <start name="client" ram="2M" caps="50"> <exit propagate="yes"/> </start>
         </config>
       </start>`,
      );
      expect(end).toEqual({ kind: 'exit', code: 7 });
      expect(lines.join('\n')).toContain('[init -> sub -> client] sub -> client -> far: hello');
      expect(lines).toContain('[init -> sub -> client] back true');
    });
  },
);
