/** Any zone: what stands is wanted by the manifests made of it, or is a difference, or is reported; all of it is valid. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { desiredDns } from '../../agent/desired/dns.ts'
import { emptyEstate } from '../../agent/import/estate.ts'
import { knownOf, nothingKnown } from '../../agent/import/known.ts'
import { importEstate } from '../../agent/import/manifests.ts'
import { worldOf } from '../../agent/import/zone.ts'
import { checkEstate } from '../../agent/manifest/check.ts'
import { parseManifestFile } from '../../agent/manifest/file.ts'
import type { Institution } from '../../agent/model/entity.ts'
import type { Address, DomainName } from '../../agent/model/name.ts'
import { formatRef, type RecordType, type RRsetResource, refOf } from '../../agent/model/resource.ts'
import type { AgentConfig } from '../../agent/model/world.ts'
import { canonicalRRset } from '../../agent/standards/dns-resource.ts'
import { sampleRoster, sampleText } from '../manifest/sample.ts'

const zone = 'vieja.cu' as DomainName
const host = 'mx1.operator.example' as DomainName
const config = {
  national: { suffixes: ['cu'], domains: [], networks: [] },
  mail: {
    mx: [{ host, priority: 10 }],
    nameServers: [host],
    hostmaster: 'hostmaster@operator.example' as Address,
    submission: host,
    web: host,
    reports: 'reports@operator.example' as Address,
  },
} as unknown as AgentConfig

const context = {
  today: '2026-05-01',
  timeZone: 'America/Havana',
  attachment: (path: string) => (path === 'rosters/hcg.csv' ? sampleRoster : undefined),
  hasDocument: () => true,
}
const base = [{ path: 'hcg.yaml', text: sampleText }]
const known = knownOf(base.map(parseManifestFile), checkEstate(base, context))
const options = { institution: 'hospital-calixto-garcia', request: 'SC-2026-014', known, config, holders: new Map() }
const format = { language: 'es', schema: 's.json' } as const

const values: Readonly<Record<string, fc.Arbitrary<string>>> = {
  A: fc.ipV4(),
  AAAA: fc.ipV6(),
  CNAME: fc.constantFrom('otro.example', 'localhost', host),
  TXT: fc.oneof(
    fc.string(),
    fc.constantFrom('v=spf1 mx -all', 'v=spf1 -all', 'v=DMARC1; p=reject', 'ñ', 'true', '# x', ': a'),
  ),
  MX: fc.constantFrom('0 .', '10 mx1.operator.example', '5 mx.otro.example', 'x'),
  NS: fc.constantFrom('ns1.otro.example', host),
  SRV: fc.constantFrom('0 0 0 .', '0 1 587 mx1.operator.example'),
  CAA: fc.constantFrom('0 issue "ca.example"', '0 issue "a\\"b"'),
  PTR: fc.constantFrom('a.otro.example'),
  SOA: fc.constantFrom('a.example b.example 1 2 3 4'),
}
const owners = [
  '',
  'www',
  'mail',
  '_dmarc',
  '_dmarc.www',
  'a._domainkey',
  'mta-sts',
  'x.www',
  '*',
  '_imaps._tcp',
  'autoconfig',
  'sub',
  'a b',
]

const rrset = fc
  .record({
    owner: fc.constantFrom(...owners),
    type: fc.constantFrom(...Object.keys(values)),
    ttl: fc.constantFrom(3600, 300, 30, 900_000),
  })
  .chain(({ owner, type, ttl }) =>
    fc.array(values[type] as fc.Arbitrary<string>, { minLength: 1, maxLength: 3 }).map((all): RRsetResource => {
      const name = owner === '' ? zone : `${owner}.${zone}`
      const key = `${zone}/${name}/${type}`
      return canonicalRRset({
        provider: 'dns',
        kind: 'rrset',
        key,
        zone,
        owner: name,
        type: type as RecordType,
        ttl,
        values: all,
      })
    }),
  )

/** What mailwarden makes itself of some hosts: it has to be seen as such. */
const ownHosts = fc.subarray(['www', 'mail', 'sub']).map(hosts => {
  const extra = hosts.map(name => ({
    owner: `${name}.${zone}`,
    type: 'A' as const,
    values: ['192.0.2.1'],
    ttl: null,
    place: { file: '', line: 1, column: 1 },
  }))
  const domain = {
    name: zone,
    institution: 'i',
    delivery: 'mailboxes' as const,
    administrator: `postmaster@${zone}` as Address,
    collector: null,
    accountsMax: 0,
    storageBytes: 0,
    inboundWhenSuspended: 'defer' as const,
    ttl: 3600,
    extra,
    place: { file: '', line: 1, column: 1 },
  }
  return desiredDns(worldOf(domain, config, { name: 'i', servers: [] } as unknown as Institution)).flatMap(
    ({ resource }) => (resource.kind === 'rrset' ? [resource] : []),
  )
})

test('nothing of a zone is lost or changed unsaid', () => {
  let wholly = 0
  fc.assert(
    fc.property(ownHosts, fc.array(rrset, { maxLength: 12 }), (own, others) => {
      const standing = [...new Map([...own, ...others].map(record => [record.key, record])).values()]
      const estate = { ...emptyEstate, dns: standing }
      const imported = importEstate(estate, { ...options, ...format })
      expect(importEstate({ ...estate, dns: standing.toReversed() }, { ...options, ...format }).files).toEqual(
        imported.files,
      )
      const files = [...base, ...imported.files]
      const checked = checkEstate(files, context)
      expect(checked.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
      const estateOfOwner = checked.estates.get('hospital-calixto-garcia')
      const domain = estateOfOwner?.domains.find(({ name }) => name === zone)
      if (standing.length === 0 || estateOfOwner === undefined || domain === undefined) {
        expect(standing).toEqual([])
        return
      }
      const wanted = new Map(
        desiredDns(worldOf(domain, config, estateOfOwner.institution)).map(({ resource }) => [
          formatRef(refOf(resource)),
          resource,
        ]),
      )
      const said = new Map(imported.differences.map(one => [one.subject, one.declared]))
      const left = new Set(imported.left.map(({ where }) => where))
      if (said.size + left.size === 0) wholly += 1
      for (const record of standing) {
        const ref = formatRef(refOf(record))
        const made = wanted.get(ref)
        if (made === undefined) expect(left.has(ref), ref).toBe(true)
        else if (said.has(ref)) {
          const { ttl, values } = made as RRsetResource
          expect(said.get(ref)).toEqual({ ttl, values })
          expect({ ttl, values }).not.toEqual({ ttl: record.ttl, values: record.values })
        } else expect(made).toEqual(record)
      }
    }),
    { numRuns: 300 },
  )
  expect(wholly).toBeGreaterThan(5)
}, 60_000)

test('a zone that mailwarden made needs no line of its own but for the hosts', () => {
  fc.assert(
    fc.property(ownHosts, own => {
      const { files, differences, left } = importEstate({ ...emptyEstate, dns: own }, { ...options, ...format })
      expect({ differences, left }).toEqual({ differences: [], left: [] })
      const extras = files[0]?.text.match(/- \{ name: /g)?.length ?? 0
      expect(extras).toBe(own.filter(({ type }) => type === 'A').length)
    }),
  )
})

test('an institution that nobody declared has no name, and its papers are empty', () => {
  const estate = {
    ...emptyEstate,
    domains: [{ name: zone, institution: null, delivery: null, nextHop: null, status: 'active', collector: null }],
  } as const
  const { files } = importEstate(estate, {
    ...options,
    ...format,
    institution: null,
    request: null,
    known: nothingKnown,
  })
  const { diagnostics } = checkEstate(files, context)
  expect(diagnostics.some(({ code, pointer }) => code === 'E-NAME' && pointer === '/metadata/name')).toBe(true)
  expect(diagnostics.some(({ pointer }) => pointer === '/spec/title')).toBe(true)
})
