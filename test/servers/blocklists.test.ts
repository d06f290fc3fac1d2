/** Blocklists on a real name server: what they answer, what that is a sign of, and what of it is none. */
import { createSocket } from 'node:dgram'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listName } from '../../agent/standards/dnsbl.ts'
import { blocklists } from '../../providers/probe-dns/blocklist.ts'
import { createEstate, eventually, institutionText } from '../support/estate.ts'
import { type Named, startNamed, whyNoNamed } from './named.ts'
import { describeServers } from './suite.ts'

const head = '$TTL 60\n@ SOA ns.test. h.test. 1 60 60 60 60\n@ NS ns.test.\n'
const zone = (...lines: readonly string[]) => `${head}${lines.join('\n')}\n`
const never = new AbortController().signal

test('names of RFC 5782', () => {
  expect(listName('192.0.2.99', 'bl.example')).toBe('99.2.0.192.bl.example')
  expect(listName('2001:db8::1', 'bl.example')).toBe(
    '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example',
  )
  expect(listName('hcg.sld.cu', 'dbl.example')).toBe('hcg.sld.cu.dbl.example')
})

describeServers('blocklists, on BIND', whyNoNamed, () => {
  let named: Named
  beforeAll(async () => {
    named = await startNamed({
      'ip.test': zone('2.0.0.127 A 127.0.0.2', '25.2.0.192 A 127.0.0.4', '25.2.0.192 A 127.0.0.10'),
      'dom.test': zone(
        'hcg.sld.cu A 127.0.1.2',
        'loop.sld.cu A 127.0.0.1',
        'mixed.sld.cu A 127.0.1.2',
        'mixed.sld.cu A 127.255.255.254',
      ),
      // Refuses, as the great lists do for an open resolver; lists the world; a name that lapsed and was bought.
      'refuses.test': zone('* A 127.255.255.254'),
      'world.test': zone('* A 127.0.0.2'),
      'parked.test': zone('* A 192.0.2.200'),
    })
  })
  afterAll(() => named?.stop())

  test.each([
    ['ip.test', '192.0.2.25', 'listed'],
    ['ip.test', '192.0.2.26', 'clear'],
    ['dom.test', 'hcg.sld.cu', 'listed'],
    ['dom.test', 'otra.sld.cu', 'clear'],
    ['dom.test', 'loop.sld.cu', 'error'],
    ['dom.test', 'mixed.sld.cu', 'error'],
    ['refuses.test', 'hcg.sld.cu', 'error'],
    ['parked.test', 'hcg.sld.cu', 'error'],
    ['nowhere.test', 'hcg.sld.cu', 'unknown'],
  ])('%s says of %s: %s', async (list, subject, result) => {
    const lists = blocklists({ host: '127.0.0.1', port: named.port })
    expect(await lists.ask(list, subject, never)).toMatchObject({ result })
  })

  test('who does not answer says nothing', async () => {
    const silent = createSocket('udp4')
    await new Promise<void>(resolve => silent.bind(0, '127.0.0.1', resolve))
    const stop = new AbortController()
    silent.once('message', () => stop.abort())
    const lists = blocklists({ host: '127.0.0.1', port: silent.address().port })
    expect(await lists.ask('ip.test', '192.0.2.25', stop.signal)).toMatchObject({ result: 'unknown' })
    silent.close()
  })

  test('a listing is told once; lists that refuse, list everything or answer anything are told in the log alone', async () => {
    const lists = ['dom', 'refuses', 'world', 'parked', 'nowhere'].map(name => `{ zone: ${name}.test, of: domains }`)
    await using estate = await createEstate(
      {
        'hospital.yaml': institutionText('hospital', { domain: 'hcg.sld.cu' }),
        'loop.yaml': institutionText('loop', { domain: 'loop.sld.cu' }),
      },
      {
        config: `  detection:
    restrict: enforce
    blocklists:
      resolver: "127.0.0.1:${named.port}"
      lists: [{ zone: ip.test, of: addresses }, ${lists.join(', ')}]
      relays: [192.0.2.25, 192.0.2.26]
`,
      },
    )
    expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
    const signals = async () => {
      const { json } = await estate.json(['status'])
      return json.signals.map(({ code, level, subject }: any) => `${code} ${level} ${subject}`).sort()
    }
    const expected = ['SIG-BLOCKLIST alert hcg.sld.cu', 'SIG-BLOCKLIST-RELAY alert 192.0.2.25']
    for (const run of [1, 2]) {
      const daemon = await estate.start()
      await eventually(async () => (await signals()).length >= 2, `both signals, run ${run}`)
      const warned = (event: string, list: string) =>
        daemon.until(line => line['event'] === event && JSON.stringify(line).includes(list), `${event} ${list}`)
      for (const list of ['refuses.test', 'world.test', 'parked.test', 'nowhere.test'])
        await warned('a blocklist is not asked', list)
      await warned('a blocklist did not say', 'dom.test')
      // All was asked before it ends.
      await daemon.stop()
      expect(await signals()).toEqual(expected)
    }
    expect((await estate.json(['incident', 'list'])).json.incidents).toEqual([])
    expect((await estate.json(['status'])).json.detection.proposals).toEqual([])
  })
})
