/** Who should be on the lists (S45), and what a plan makes of it when a representative is replaced. */
import { describe, expect, test } from 'vitest'
import { desired } from '../../agent/desired/desired.ts'
import { membersWithoutAddress } from '../../agent/desired/lists.ts'
import type { Institution, MailDomain } from '../../agent/model/entity.ts'
import { type Hold, levers } from '../../agent/model/incident.ts'
import type { Address, DomainName } from '../../agent/model/name.ts'
import type { ListsConfig } from '../../agent/model/providers.ts'
import { type ListMember, type Resource, refOf } from '../../agent/model/resource.ts'
import type { DomainState, World } from '../../agent/model/world.ts'
import { guard } from '../../agent/plan/guards.ts'
import { changes, incidents, member } from './sample.ts'

const at = Date.parse('2026-06-15T12:00:00Z')
const place = { file: 'hcg.yaml', line: 1, column: 1 }
const topics = { changes, modifications: changes, incidents }
const mlmmj: ListsConfig = { kind: 'mlmmj', folder: '/var/spool/mlmmj', topics }

type Setting = {
  readonly director?: string | null
  readonly representative?: string | null
  readonly state?: DomainState
  readonly leaving?: boolean
}

function world(settings: Readonly<Record<string, Setting>>, lists: ListsConfig = mlmmj): World {
  const institutions = new Map<string, Institution>()
  const domains: World['domains'] extends ReadonlyMap<infer K, infer V> ? Map<K, V> : never = new Map()
  const all: Hold[] = []
  for (const [name, { director = null, representative, state = 'active', leaving = false }] of Object.entries(
    settings,
  )) {
    const apex = `${name}.example` as DomainName
    const person = (email: string | null) => ({ name: `Ana de ${name}`, email, phone: null })
    institutions.set(name, {
      name,
      title: name,
      province: 'La Habana',
      language: 'es',
      director: person(director),
      representative: representative === undefined ? null : { ...person(representative), id: 'R-1' },
      networks: [],
      servers: [],
      contractUntil: null,
      place,
    })
    const domain: MailDomain = {
      name: apex,
      institution: name,
      delivery: 'mailboxes',
      administrator: `admin@${apex}` as Address,
      collector: null,
      accountsMax: 1,
      storageBytes: 1,
      inboundWhenSuspended: 'defer',
      ttl: 3600,
      extra: [],
      place,
    }
    const hold = { incident: 'INC-1', scope: { domain: apex, account: null }, levers, since: at }
    const holds = state === 'suspended' ? [hold] : []
    all.push(...holds)
    domains.set(apex, { domain, state, holds, blockedBy: [], leaving })
  }
  const mail = {
    mx: [{ host: 'mx.operator.example', priority: 10 }],
    nameServers: ['ns.operator.example'],
    hostmaster: 'hostmaster@operator.example',
    submission: 'mx.operator.example',
    web: 'mx.operator.example',
    reports: 'reports@operator.example',
  }
  const config = { providers: { lists }, mail, national: { networks: [] } } as unknown as World['config']
  return {
    at,
    config,
    institutions,
    domains,
    accounts: new Map(),
    waivers: [],
    dkim: new Map(),
    country: null,
    holds: all,
    diagnostics: [],
  }
}

const members = (of: World) =>
  [...desired(of, 'all').values()]
    .map(({ resource }): Resource => resource)
    .filter((resource): resource is ListMember => resource.kind === 'member')
const addresses = (of: World) => members(of).map(({ key }) => key)

describe('who should be on the lists', () => {
  test('director and representative, on each list once, with all its topics', () => {
    const of = world({ hcg: { director: 'Ana@Otro.example', representative: 'luis@otro.example' } })
    expect(members(of)).toEqual(
      ['ana@otro.example', 'luis@otro.example'].flatMap(address => [
        member(changes, address),
        member(incidents, address),
      ]),
    )
  })

  test('one person for two institutions is one member for both', () => {
    const of = world({
      b: { director: 'ana@otro.example' },
      a: { director: 'ana@otro.example', representative: 'ana@otro.example' },
    })
    expect(members(of).map(({ key, institutions }) => [key, institutions])).toEqual(
      [changes, incidents].map(list => [`${list}/ana@otro.example`, ['a', 'b']]),
    )
  })

  test.each<[DomainState, number]>([
    ['active', 1],
    ['restricted', 1],
    ['suspended', 1],
    ['blocked', 0],
    ['queued', 0],
    ['withdrawn', 0],
  ])('an institution whose only domain is %s: %i', (state, count) => {
    // The address stands in the very domain: who is suspended must hear of it, once it is read.
    const of = world({ hcg: { director: 'ana@hcg.example', state } })
    expect(addresses(of).length).toBe(count * 2)
  })

  test('a domain that leaves takes its people along, unless a hold keeps it', () => {
    expect(addresses(world({ hcg: { director: 'ana@otro.example', leaving: true } }))).toEqual([])
    const held = world({ hcg: { director: 'ana@otro.example', leaving: true, state: 'suspended' } })
    expect(addresses(held).length).toBe(2)
  })

  test('nobody where no lists are configured, and nobody in a part of the estate', () => {
    const of = world({ hcg: { director: 'ana@otro.example' } }, { kind: 'none' })
    expect(addresses(of)).toEqual([])
    const part = desired(world({ hcg: { director: 'ana@otro.example' } }), { domains: ['hcg.example'] })
    expect([...part.keys()].filter(key => key.startsWith('lists:'))).toEqual([])
    expect(part.size).toBeGreaterThan(0)
  })

  test('a person without an address is on no list, and that is said', () => {
    const of = world({ hcg: { director: null, representative: changes }, b: { director: 'ana@otro.example' } })
    expect(addresses(of)).toEqual([changes, incidents].map(list => `${list}/ana@otro.example`))
    const found = membersWithoutAddress(of)
    expect(found.map(({ code, severity, subject }) => [code, severity, subject])).toEqual([
      ['W-LIST-ADDRESS', 'warning', 'institution:hcg'],
      ['W-LIST-ADDRESS', 'warning', 'institution:hcg'],
    ])
    expect(membersWithoutAddress(world({ hcg: { director: null } }, { kind: 'none' }))).toEqual([])
  })
})

describe('who leaves', () => {
  const leaving = (people: number) =>
    Array.from({ length: people }, (_, index) => `a${index}@otro.example`).flatMap(address =>
      [changes, incidents].map(list => {
        const before = member(list, address)
        return { action: 'delete', ref: refOf(before), before, after: null, why: 'removal', source: null } as const
      }),
    )
  const refusals = (people: number) =>
    guard({
      changes: leaving(people),
      standing: [],
      // Accounts that were deleted today have nothing to do with it.
      history: { deletes: [{ at, count: 5, accepted: false }] },
      limits: { deletes: 5, updatePercent: 30, recipientsPerHour: 1, recipientsPerDay: 1 },
      now: at,
      acceptance: {},
    })

  test('people who were replaced go by themselves; many at once wait for the exact count', () => {
    expect(refusals(5)).toEqual([])
    expect(refusals(6).map(({ guard, accept, refs }) => [guard, accept, refs.length])).toEqual([
      ['members', 'delete=12', 12],
    ])
  })
})
