/** What others made on the same PowerDNS stays as it is: zones, RRsets of any type, disabled records, comments, metadata, keys. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PowerDns } from '../../providers/powerdns/powerdns.ts'
import { dnsStates } from '../conformance/samples.ts'
import { create, never, remove, results, rrset, soa, update, zone } from '../dns/bench.ts'
import { backends, type Pdns, startPdns, whyNoPdns } from '../servers/pdns.ts'
import { describeServers } from '../servers/suite.ts'
import { applyTo, changesFrom, openOn, reach, settingsOf, sightOf } from './shared.ts'

const { small, full, changed } = dnsStates
const a = 'a.example'
const theirs = 'theirs.example'
const record = (content: string, disabled = false) => ({ content, disabled })
const replace = (name: string, type: string, contents: readonly string[], comments?: unknown) => ({
  name: `${name}.`,
  type,
  changetype: 'REPLACE',
  ttl: 120,
  records: contents.map(content => record(content)),
  ...(comments === undefined ? {} : { comments }),
})

/** RRsets of types that we have no resource for. */
const unknownTypes = (apex: string) => [
  replace(`n.${apex}`, 'NAPTR', ['100 10 "U" "E2U+sip" "!^.*$!sip:x@a.example!" .']),
  replace(`d.${apex}`, 'DS', ['60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118']),
  replace(`d.${apex}`, 'NS', ['ns.elsewhere.example.']),
  replace(`s.${apex}`, 'SSHFP', ['1 1 123456789abcdef67890123456789abcdef67890']),
  replace(`_25._tcp.${apex}`, 'TLSA', ['3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef']),
]

for (const backend of backends)
  describeServers(
    `what is not ours on PowerDNS with ${backend}`,
    () => whyNoPdns(backend),
    () => {
      const comments = backend === 'gsqlite3'
      let pdns: Pdns
      let dns: PowerDns
      beforeAll(async () => {
        pdns = await startPdns({ backend })
        dns = openOn(pdns)
      })
      afterAll(async () => {
        await dns?.[Symbol.asyncDispose]()
        await pdns?.stop()
      })
      async function must(method: string, path: string, body?: unknown) {
        const answer = await pdns.api(method, path, body)
        expect([answer.status < 300, answer.body]).toEqual([true, answer.body])
        return answer
      }
      const drop = (apex: string) => must('DELETE', `/zones/${apex}.`)

      test('a zone with 1,000 RRsets, settings, metadata and keys is the same to the last serial', async () => {
        await must('POST', '/zones', {
          name: `${theirs}.`,
          kind: 'Primary',
          account: 'hosting',
          nameservers: [],
          soa_edit_api: 'EPOCH',
          rrsets: Array.from({ length: 1_000 }, (_, n) => {
            const { changetype: _c, ...one } = replace(`h${n}.${theirs}`, 'A', [`192.0.2.${n % 250}`])
            return one
          }),
        })
        await must('PATCH', `/zones/${theirs}.`, { rrsets: unknownTypes(theirs) })
        await must('PUT', `/zones/${theirs}./metadata/ALLOW-AXFR-FROM`, { metadata: ['192.0.2.7'] })
        await must('PUT', `/zones/${theirs}./metadata/X-THEIRS`, { metadata: ['one', 'two'] })
        await must('POST', `/zones/${theirs}./cryptokeys`, { keytype: 'csk', active: true })
        const before = await sightOf(pdns, theirs)
        for (const state of [small, full, changed, []]) await reach(dns, state)
        // By name too: what is planned over another's object is a conflict.
        const outcomes = await applyTo(dns, [
          create(zone(theirs)),
          create(rrset(theirs, 'h3', 'A', ['192.0.2.3'], 120)),
          update(rrset(theirs, 'h4', 'A', ['192.0.2.4'], 120), rrset(theirs, 'h4', 'A', ['192.0.2.5'])),
          remove(rrset(theirs, 'h5', 'A', ['192.0.2.5'], 120)),
        ])
        expect(results(outcomes)).toEqual(['conflict', 'conflict', 'conflict', 'conflict'])
        expect(results(await applyTo(dns, [remove(zone(theirs))]))).toEqual(['conflict'])
        expect(await sightOf(pdns, theirs)).toEqual(before)
        const observed = await dns.observe({ domains: [theirs] }, never)
        expect(observed.length).toBe(1 + 1 + 1 + 1_000)
        expect(observed.every(({ mark }) => mark === null)).toBe(true)
        await drop(theirs)
      })

      test('our RRset in their zone: their settings, keys and RRsets stay, the serial rises for the secondaries', async () => {
        for (const soaEditApi of ['', 'DEFAULT', 'INCREASE']) {
          const first = '2026010101'
          const { changetype: _, ...apexSoa } = replace(theirs, 'SOA', [`ns.x. h.x. ${first} 10800 3600 604800 3600`])
          const body = { name: `${theirs}.`, kind: 'Master', account: 'hosting', nameservers: [] }
          await must('POST', '/zones', { ...body, soa_edit_api: soaEditApi, rrsets: [apexSoa] })
          await must('PATCH', `/zones/${theirs}.`, { rrsets: unknownTypes(theirs) })
          if (comments)
            await must('PATCH', `/zones/${theirs}.`, {
              rrsets: [
                {
                  ...replace(theirs, 'SOA', [`ns.x. h.x. ${first} 10800 3600 604800 3600`]),
                  comments: [{ content: 'ask first', account: 'bob', modified_at: 7 }],
                },
              ],
            })
          await must('PUT', `/zones/${theirs}./metadata/X-THEIRS`, { metadata: ['one'] })
          await must('POST', `/zones/${theirs}./cryptokeys`, { keytype: 'csk', active: true })
          const settings = await settingsOf(pdns, theirs)
          const sight = async () => {
            const { rrsets, serial } = await pdns.zone(theirs)
            const others = rrsets.filter((one: any) => !/^(mine|_mailwarden)\./.test(one.name))
            return { serial, others: JSON.stringify(others).replaceAll(String(serial), 'SERIAL') }
          }
          const before = await sight()
          const mine = rrset(theirs, 'mine', 'TXT', ['v=1'])
          for (const change of [create(mine), update(mine, { ...mine, ttl: 9 }), remove({ ...mine, ttl: 9 })]) {
            const { serial } = await sight()
            expect(results(await applyTo(dns, [change]))).toEqual(['applied'])
            const after = await sight()
            expect([after.others, after.serial > serial]).toEqual([before.others, true])
          }
          expect(await settingsOf(pdns, theirs)).toEqual(settings)
          expect((await pdns.zone(theirs)).rrsets.length).toBe(6)
          await drop(theirs)
        }
      })

      test('a zone of ours with something of theirs in it is not removed, and what is ours goes', async () => {
        const apexes = [
          ['NAPTR', unknownTypes(a).slice(0, 1)],
          ['disabled', [{ ...replace(`off.${a}`, 'A', []), records: [record('192.0.2.9', true)] }]],
          ...(comments
            ? [
                [
                  'comment',
                  [
                    {
                      ...replace(a, 'NS', []),
                      records: [record('ns1.operator.example.')],
                      comments: [{ content: 'mw', account: 'x' }],
                    },
                  ],
                ] as const,
              ]
            : []),
        ] as const
        for (const [what, rrsets] of apexes) {
          await reach(dns, small)
          await must('PATCH', `/zones/${a}.`, { rrsets })
          const observed = await dns.observe('all', never)
          const outcomes = await applyTo(dns, small.map(remove))
          const verdict = outcomes.find(({ ref }) => ref.kind === 'zone')
          expect([what, verdict?.result]).toEqual([what, 'conflict'])
          expect(verdict?.detail).toContain('left in it')
          expect(observed.length).toBe(what === 'disabled' ? small.length + 1 : small.length)
          const left = (await pdns.zone(a)).rrsets.map((one: any) => one.type)
          expect(left).toContain(rrsets[0]!.type)
          await drop(a)
        }
        await reach(dns, small)
        await must('POST', `/zones/${a}./cryptokeys`, { keytype: 'csk', active: true })
        const signed = (await applyTo(dns, small.map(remove))).find(({ ref }) => ref.kind === 'zone')
        expect(signed).toMatchObject({ result: 'conflict' })
        expect(signed?.detail).toContain('DNSSEC')
        await drop(a)
      })

      test('disabled records in an RRset of ours are no values, and are kept by every write', async () => {
        await reach(dns, full)
        const disabled = record('192.0.2.99', true)
        const www = { name: `www.${a}.`, type: 'A', changetype: 'REPLACE', ttl: 300 }
        const records = [record('192.0.2.10'), record('192.0.2.11'), disabled]
        await must('PATCH', `/zones/${a}.`, { rrsets: [{ ...www, records }] })
        expect(changesFrom(await dns.observe('all', never), full)).toEqual([])
        const one = rrset(a, 'www', 'A', ['192.0.2.10', '192.0.2.11'])
        const shown = async () => (await pdns.zone(a)).rrsets.find((r: any) => r.name === www.name && r.type === 'A')
        expect(results(await applyTo(dns, [update(one, { ...one, ttl: 60 })]))).toEqual(['applied'])
        expect((await shown()).records).toContainEqual(disabled)
        expect(results(await applyTo(dns, [remove({ ...one, ttl: 60 })]))).toEqual(['applied'])
        expect((await shown()).records).toEqual([disabled])
        const left = (await dns.observe('all', never)).find(({ resource }) => resource.key === one.key)
        expect(left).toMatchObject({ mark: null, resource: { values: [] } })
        await drop(a)
        await drop('b.cu')
      })

      test('what somebody disabled of ours is seen, and enabled again', async () => {
        await reach(dns, full)
        const records = [record('192.0.2.10', true), record('192.0.2.11', true)]
        await must('PATCH', `/zones/${a}.`, { rrsets: [{ ...replace(`www.${a}`, 'A', []), ttl: 300, records }] })
        expect(changesFrom(await dns.observe('all', never), full).map(({ action }) => action)).toEqual(['update'])
        await reach(dns, full)
        expect((await pdns.resolver().resolve4(`www.${a}`)).sort()).toEqual(['192.0.2.10', '192.0.2.11'])
        await reach(dns, [])
      })

      test('a copy of a marked object is not ours, nor what another installation marked', async () => {
        await reach(dns, full)
        const { account, rrsets } = await pdns.zone(a)
        const copied = rrsets.map((one: any) => ({ ...one, name: one.name.replace(`${a}.`, 'copy.example.') }))
        const body = { name: 'copy.example.', kind: 'Native', account, nameservers: [] }
        // A back end without comments takes none in a new zone either.
        await must('POST', '/zones', { ...body, rrsets: copied })
        const copies = await dns.observe({ domains: ['copy.example'] }, never)
        expect(copies.length).toBeGreaterThan(5)
        expect(changesFrom(copies, [])).toEqual([])
        const stranger = {
          change: remove(rrset('copy.example', 'www', 'A', ['192.0.2.10', '192.0.2.11'])),
          mark: 'mw1:x',
        }
        const outcomes = await Array.fromAsync(dns.apply([stranger], never))
        expect(results(outcomes)).toEqual(['conflict'])
        await drop('copy.example')
        await reach(dns, [])
      })

      test('a zone that the server copies from elsewhere is read, and never written', async () => {
        await must('POST', '/zones', { name: `${theirs}.`, kind: 'Slave', masters: ['127.0.0.1:9'], nameservers: [] })
        const observed = await dns.observe({ domains: [theirs] }, never)
        expect(observed.map(({ resource, mark }) => [resource.kind, mark])).toContainEqual(['zone', null])
        const outcomes = await applyTo(dns, [create(rrset(theirs, 'x', 'A', ['192.0.2.1']))])
        expect(outcomes).toMatchObject([{ result: 'conflict' }])
        await drop(theirs)
      })

      if (comments)
        test('comments of others on RRsets of ours are kept by updates', async () => {
          await reach(dns, full)
          const ours = (await pdns.zone(a)).rrsets.find((one: any) => one.name === `www.${a}.` && one.type === 'A')
          const bobs = { content: 'ask first', account: 'bob', modified_at: 77 }
          const all = [...ours.comments, bobs]
          await must('PATCH', `/zones/${a}.`, { rrsets: [{ ...ours, changetype: 'REPLACE', comments: all }] })
          expect(changesFrom(await dns.observe('all', never), full)).toEqual([])
          await reach(
            dns,
            full.map(one => (one.key.endsWith('/A') ? { ...one, ttl: 61 } : one)),
          )
          const after = (await pdns.zone(a)).rrsets.find((one: any) => one.name === ours.name && one.type === 'A')
          expect(after.comments).toContainEqual(bobs)
          expect(after.ttl).toBe(61)
        })
      else
        test('there can be no comments: marks stand in disabled records that nobody is answered', async () => {
          await reach(dns, full)
          const list = (await pdns.zone(a)).rrsets.find((one: any) => one.name === `_mailwarden.${a}.`)
          expect(list.records.length).toBe(full.filter(one => one.kind === 'rrset' && one.zone === a).length)
          expect(list.records.every((one: any) => one.disabled)).toBe(true)
          await expect(pdns.resolver().resolveTxt(`_mailwarden.${a}`)).rejects.toMatchObject({ code: 'ENOTFOUND' })
          await reach(dns, [zone(a), soa(a)])
          const left = (await pdns.zone(a)).rrsets.find((one: any) => one.name === `_mailwarden.${a}.`)
          expect(left.records.length).toBe(1)
        })
    },
  )
