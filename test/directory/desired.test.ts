/** What should stand in the directory: levers to doors, access to networks, names of the administrator, ends for good. */
import { describe, expect, test } from 'vitest'
import type { Place } from '../../agent/core/diagnostic.ts'
import { checkCountryNetworks, type DesiredEntry, desiredDirectory } from '../../agent/desired/directory.ts'
import type { CountryTable } from '../../agent/model/country.ts'
import type { Account, Exception, Institution, MailDomain } from '../../agent/model/entity.ts'
import { type Hold, type Lever, levers } from '../../agent/model/incident.ts'
import type { Address, DomainName } from '../../agent/model/name.ts'
import type { DirectoryAccount, DirectoryDomain } from '../../agent/model/resource.ts'
import type { DomainState, World } from '../../agent/model/world.ts'
import { toCountryTable } from '../../agent/policy-test/world.ts'
import { checkDirectoryResource } from '../../agent/standards/directory-resource.ts'

const at = Date.parse('2026-06-15T12:00:00Z')
const place: Place = { file: 'hcg.yaml', line: 1, column: 1 }
const hcg = 'hcg.example' as DomainName
const address = (localpart: string) => `${localpart}@hcg.example` as Address

type Setting = {
  readonly institution?: Partial<Institution>
  readonly domain?: Partial<MailDomain>
  readonly domainState?: DomainState
  readonly accounts?: readonly (Partial<Account> & { readonly name: string; readonly worldState?: DomainState })[]
  readonly holds?: readonly {
    readonly account?: string
    readonly levers: readonly Lever[]
    readonly incident?: string
  }[]
  readonly national?: readonly string[]
  readonly country?: CountryTable
}

function worldOf(setting: Setting): World {
  const institution: Institution = {
    name: 'hcg',
    title: 'HCG',
    province: 'La Habana',
    language: 'es',
    director: { name: 'Ana', email: null, phone: null },
    representative: null,
    networks: ['10.20.0.0/16', '2001:db8:20::/48'],
    servers: [],
    contractUntil: null,
    place,
    ...setting.institution,
  }
  const domain: MailDomain = {
    name: hcg,
    institution: 'hcg',
    delivery: 'mailboxes',
    administrator: address('admin'),
    collector: null,
    accountsMax: 50,
    storageBytes: 2_000_000,
    inboundWhenSuspended: 'defer',
    ttl: 3600,
    extra: [],
    place,
    ...setting.domain,
  }
  const holds: Hold[] = (setting.holds ?? []).map(hold => ({
    incident: hold.incident ?? 'INC-1',
    scope: { domain: hcg, account: hold.account === undefined ? null : address(hold.account) },
    levers: hold.levers,
    since: at - 1,
  }))
  const accounts = (setting.accounts ?? []).map(({ name, worldState, ...over }) => {
    const account: Account = {
      address: address(name),
      domain: hcg,
      institution: 'hcg',
      state: 'active',
      holder: { name, id: name, post: '-', purpose: '-' },
      category: 'care',
      request: 'SC-1',
      agreementDate: '2026-04-03',
      order: 0,
      send: 'national',
      receive: 'national',
      access: 'institution',
      aliases: [],
      exceptions: [],
      quotaBytes: 1000,
      place,
      places: {},
      ...over,
    }
    const own = holds.filter(hold => hold.scope.account === account.address)
    return [
      account.address,
      { account, state: worldState ?? 'active', holds: own, blockedBy: [], leaving: false },
    ] as const
  })
  const whole = holds.filter(hold => hold.scope.account === null)
  return {
    at,
    config: {
      national: { suffixes: ['cu'], domains: [], networks: setting.national ?? [] },
    } as unknown as World['config'],
    institutions: new Map([['hcg', institution]]),
    domains: new Map([
      [hcg, { domain, state: setting.domainState ?? 'active', holds: whole, blockedBy: [], leaving: false }],
    ]),
    accounts: new Map(accounts),
    waivers: [],
    dkim: new Map(),
    country: setting.country ?? null,
    holds,
    diagnostics: [],
  }
}

function entryOf(setting: Setting, key: string): DesiredEntry {
  const found = desiredDirectory(worldOf(setting)).filter(({ resource }) => resource.key === key)
  expect(found.length).toBe(1)
  return found[0] as DesiredEntry
}
const domainOf = (setting: Setting) => entryOf(setting, hcg).resource as DirectoryDomain
const accountOf = (setting: Setting, name: string) => entryOf(setting, address(name)).resource as DirectoryAccount

const multipop: Setting = {
  domain: { delivery: 'multipop', collector: address('multipop') },
  accounts: [{ name: 'ana' }, { name: 'berta' }],
}

describe('levers', () => {
  const doors = (setting: Setting) =>
    Object.fromEntries(
      desiredDirectory(worldOf({ ...multipop, ...setting })).flatMap(({ resource, holds }) => {
        const open =
          resource.kind === 'domain'
            ? { login: resource.login, collection: resource.collection }
            : { [resource.key.split('@')[0] ?? '']: resource.status }
        return Object.entries(open)
          .filter(([, status]) => status !== 'active')
          .map(([name, status]) => [name, `${status} by ${holds.join(' ')}`])
      }),
    )

  test.each<[Lever, Record<string, string>]>([
    ['send', {}],
    ['receive', {}],
    ['relay', {}],
    ['login', { login: 'suspended by INC-1' }],
    ['submission', { login: 'suspended by INC-1' }],
    ['collection', { collection: 'suspended by INC-1' }],
    ['administrator', { admin: 'suspended by INC-1' }],
  ])('%s on the domain', (lever, expected) => {
    expect(doors({ holds: [{ levers: [lever] }] })).toEqual(expected)
  })

  test('all of them on the domain are three writes, however many accounts there are', () => {
    expect(doors({ holds: [{ levers }] })).toEqual({
      login: 'suspended by INC-1',
      collection: 'suspended by INC-1',
      admin: 'suspended by INC-1',
    })
  })

  test.each<[string, Lever, Record<string, string>]>([
    ['ana', 'login', { ana: 'suspended by INC-1' }],
    ['ana', 'submission', { ana: 'suspended by INC-1' }],
    ['ana', 'send', {}],
    ['ana', 'administrator', {}],
    ['admin', 'administrator', { admin: 'suspended by INC-1' }],
    ['admin', 'login', { admin: 'suspended by INC-1' }],
    ['multipop', 'collection', { multipop: 'suspended by INC-1' }],
    ['multipop', 'administrator', {}],
  ])('on %s alone: %s', (account, lever, expected) => {
    expect(doors({ holds: [{ account, levers: [lever] }] })).toEqual(expected)
  })

  test('every incident that shapes a resource is named once, in order; one that does not is not', () => {
    const holds = [
      { levers: ['login', 'submission'], incident: 'INC-2' },
      { levers: ['login'], incident: 'INC-1' },
      { levers: ['send'], incident: 'INC-0' },
    ] as const
    expect(entryOf({ holds }, hcg).holds).toEqual(['INC-1', 'INC-2'])
    expect(entryOf({ holds }, address('admin')).holds).toEqual([])
  })

  test('withdrawn goes before suspended', () => {
    expect(doors({ holds: [{ levers }], domainState: 'withdrawn' })).toEqual({
      login: 'closed by ',
      collection: 'closed by ',
      admin: 'closed by ',
      multipop: 'closed by ',
      ana: 'closed by ',
      berta: 'closed by ',
    })
    const gone: Setting = {
      accounts: [{ name: 'ana', state: 'withdrawn', worldState: 'withdrawn' }],
      holds: [{ account: 'ana', levers }],
    }
    expect(doors(gone)).toEqual({ ana: 'closed by ' })
  })
})

describe('what stands', () => {
  test.each(['blocked', 'queued'] as const)('a %s domain and its accounts do not', domainState => {
    expect(desiredDirectory(worldOf({ ...multipop, domainState }))).toEqual([])
  })

  test('blocked and queued accounts do not, restricted and suspended ones do', () => {
    const states: readonly DomainState[] = ['active', 'queued', 'blocked', 'restricted', 'suspended', 'withdrawn']
    const accounts = states.map(worldState => ({ name: worldState, worldState }))
    const keys = desiredDirectory(worldOf({ accounts })).map(({ resource }) => resource.key)
    expect(keys).toEqual([hcg, ...['admin', 'active', 'restricted', 'suspended', 'withdrawn'].map(address)])
  })

  test('the place is the line that says so', () => {
    const state = { ...place, line: 9 }
    const accounts = [{ name: 'ana', state: 'withdrawn', worldState: 'withdrawn', places: { state } }] as const
    expect(entryOf({ accounts }, address('ana')).source).toEqual(state)
    expect(entryOf({ accounts }, hcg).source).toEqual(place)
  })
})

describe('networks (S20)', () => {
  const own = ['10.20.0.0/16', '2001:db8:20::/48']
  const national = ['198.51.100.0/24', '10.20.0.0/16']
  const both = ['10.20.0.0/16', '198.51.100.0/24', '2001:db8:20::/48']
  const access = (granted: 'institution' | 'national' | 'anywhere', until: number): Exception => ({
    kind: 'access',
    access: granted,
    until,
    request: 'SC-1',
    place,
  })
  test.each<[string, Partial<Account>, readonly string[] | null]>([
    ['institution', { access: 'institution' }, own],
    ['national', { access: 'national' }, both],
    ['anywhere', { access: 'anywhere' }, null],
    ['an exception that lasts', { exceptions: [access('national', at + 1)] }, both],
    ['an exception to anywhere', { access: 'national', exceptions: [access('anywhere', at + 1)] }, null],
    ['an exception that ended at this instant', { exceptions: [access('anywhere', at)] }, own],
    ['an exception never narrows', { access: 'anywhere', exceptions: [access('institution', at + 1)] }, null],
    [
      'an exception to sending',
      { exceptions: [{ kind: 'send', target: 'who.example', until: at + 1, request: 'SC-1', place }] },
      own,
    ],
  ])('%s', (_, over, expected) => {
    expect(accountOf({ national, accounts: [{ name: 'ana', ...over }] }, 'ana').allowNets).toEqual(expected)
  })

  test('without national networks national is the institution; without any of its own it is nowhere', () => {
    const setting: Setting = { accounts: [{ name: 'ana', access: 'national' }] }
    expect(accountOf(setting, 'ana').allowNets).toEqual(own)
    expect(accountOf({ ...setting, institution: { networks: [] } }, 'ana').allowNets).toEqual([])
  })

  test('the administrator comes from the institution, the collector from its collecting servers only', () => {
    const server = (host: string, networks: string[], roles: ('collect' | 'relay')[]) => ({
      host: host as DomainName,
      networks,
      roles,
    })
    const servers = [
      server('a.example', ['10.20.0.6/32', '10.20.0.5/32'], ['collect', 'relay']),
      server('b.example', ['10.20.0.9/32'], ['relay']),
    ]
    const setting = { ...multipop, national, institution: { servers } }
    expect(accountOf(setting, 'admin').allowNets).toEqual(own)
    expect(accountOf(setting, 'multipop').allowNets).toEqual(['10.20.0.5/32', '10.20.0.6/32'])
    expect(accountOf(multipop, 'multipop').allowNets).toEqual([])
  })
})

describe('names and places of mail', () => {
  test('the administrator has postmaster@ and abuse@, unless an account goes by that name', () => {
    const aliases = (setting: Setting) => accountOf(setting, 'admin').aliases
    expect(aliases({})).toEqual([address('abuse'), address('postmaster')])
    expect(aliases({ accounts: [{ name: 'postmaster' }] })).toEqual([address('abuse')])
    expect(aliases({ accounts: [{ name: 'ana', aliases: [address('abuse')] }] })).toEqual([address('postmaster')])
    expect(aliases({ accounts: [{ name: 'postmaster', worldState: 'blocked' }] })).toEqual([
      address('abuse'),
      address('postmaster'),
    ])
    expect(accountOf({ domain: { administrator: address('postmaster') } }, 'postmaster').aliases).toEqual([
      address('abuse'),
    ])
  })

  test('an account listed under the name of the administrator is the administrator', () => {
    const setting: Setting = {
      accounts: [{ name: 'admin', aliases: [address('jefe')], quotaBytes: 7, access: 'anywhere' }],
    }
    expect(accountOf(setting, 'admin')).toMatchObject({
      role: 'administrator',
      quotaBytes: 7,
      allowNets: ['10.20.0.0/16', '2001:db8:20::/48'],
      aliases: ['abuse', 'jefe', 'postmaster'].map(address),
    })
  })

  test('quotas: the account its own, the collector the whole domain', () => {
    expect(accountOf(multipop, 'ana').quotaBytes).toBe(1000)
    expect(accountOf(multipop, 'multipop').quotaBytes).toBe(2_000_000)
  })

  test('the next hop is a relay server: its one address, else its name; none without such a server', () => {
    const hop = (networks: readonly string[], delivery: MailDomain['delivery'] = 'relay') =>
      domainOf({
        domain: { delivery },
        institution: { servers: [{ host: 'mail.hcg.example' as DomainName, networks, roles: ['relay'] }] },
      }).nextHop
    expect(hop(['10.20.0.5/32'])).toBe('[10.20.0.5]')
    expect(hop(['2001:db8::5/128', '10.0.0.0/8'])).toBe('[2001:db8::5]')
    expect(hop(['10.20.0.0/24'])).toBe('mail.hcg.example')
    expect(hop(['10.20.0.5/32', '10.20.0.6/32'])).toBe('mail.hcg.example')
    expect(hop(['10.20.0.5/32'], 'mailboxes')).toBeNull()
    expect(domainOf({ domain: { delivery: 'relay' } }).nextHop).toBeNull()
  })
})

describe('country data at the login door', () => {
  const header = '2|lacnic|20260101|0|19870101|20260101|-0500'
  const own = ['10.20.0.0/16', '2001:db8:20::/48']
  const accounts: Setting['accounts'] = [{ name: 'ana', access: 'national' }, { name: 'eva' }]

  test('are the fewest prefixes, beside the networks by hand and of the institution', () => {
    const country = toCountryTable(
      `${header}\nlacnic|CU|ipv4|198.51.100.0|384|20200101|allocated\nlacnic|ES|ipv4|203.0.113.0|256|20200101|allocated\nlacnic|CU|ipv6|2001:db8:c0::|44|20200101|allocated`,
    )
    const setting: Setting = { country, national: ['192.0.2.0/24'], accounts }
    expect(accountOf(setting, 'ana').allowNets).toEqual(
      [...own, '192.0.2.0/24', '198.51.100.0/24', '198.51.101.0/25', '2001:db8:c0::/44'].sort(),
    )
    expect(accountOf(setting, 'eva').allowNets).toEqual(own)
    expect(checkCountryNetworks(worldOf(setting))).toEqual([])
  })

  test('are left out whole where they do not fit, which is said; the account can still be written', () => {
    const rows = Array.from({ length: 1000 }, (_, index) => {
      return `lacnic|CU|ipv4|198.18.${index >> 7}.${(index & 127) * 2}|1|20200101|allocated`
    })
    const setting: Setting = {
      country: toCountryTable([header, ...rows].join('\n')),
      national: ['192.0.2.0/24'],
      accounts,
    }
    const ana = accountOf(setting, 'ana')
    expect(ana.allowNets).toEqual([...own, '192.0.2.0/24'].sort())
    expect(checkDirectoryResource(ana)).toEqual([])
    expect(checkCountryNetworks(worldOf(setting))).toMatchObject([
      { severity: 'warning', code: 'W-COUNTRY-NETWORKS', values: { countries: 'CU' } },
    ])
  })
})
