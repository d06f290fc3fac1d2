/** Small random pairs of fleets, and every request over names and addresses around all that they mention. */

import type { Question } from '../../agent/analysis/fleet.ts'
import { decide } from '../../agent/decision/decide.ts'
import type { Snapshot } from '../../agent/decision/snapshot.ts'
import type { EstateText } from '../../agent/manifest/schema-decisions.ts'
import { at } from '../../agent/policy-test/world.ts'
import type { Random } from '../decision/generate.ts'
import { relaysFor } from './covers.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends object | undefined ? Mutable<T[K]> : T[K] }

const scopes = ['local', 'national', 'international'] as const
const domainNames = ['uno.cu', 'dos.example', 'tres.uno.cu'] as const
const localparts = ['ana', 'luis'] as const
const targets = [
  'who.int',
  'x@who.int',
  'cu',
  'uno.cu',
  'ana@uno.cu',
  'dos.example',
  'ana.alias@dos.example',
  'nadie@uno.cu',
  'nadie@dos.example',
]
const networks = ['10.1.0.0/30', '10.1.0.4/30', '10.1.0.0/29', '2001:db8::/127']

export function randomPair(random: Random): { readonly before: EstateText; readonly after: EstateText } {
  const before = randomEstate(random)
  const after = structuredClone(before) as Mutable<EstateText>
  const changes = 1 + random.below(3)
  for (let count = 0; count < changes; count += 1) mutate(random, after)
  const holds = before.holds ?? []
  return { before, after: { ...(after as EstateText), holds } }
}

function randomInstitution(random: Random): EstateText['institutions'][string] {
  const roles = random.pick([['relay'], ['collect'], ['collect', 'relay']] as const)
  return {
    networks: [random.pick(networks)],
    servers: random.chance(0.5) ? [{ networks: [random.pick(['10.1.0.1/32', '10.9.0.0/31'])], roles: [...roles] }] : [],
  }
}

function randomAccount(random: Random, localpart: string): EstateText['accounts'][string] {
  const until = random.pick(['2026-06-14', '2026-12-31'])
  const some = (chance: number) => random.chance(chance)
  const except = [
    ...(some(0.05) ? [{ receive: 'nadie@uno.cu', until: '2026-12-31' }] : []),
    ...(some(0.05)
      ? [
          { send: 'who.int', until: '2026-12-31' },
          { send: 'x@who.int', until: '2026-07-01' },
        ]
      : []),
    ...(some(0.25) ? [{ send: random.pick(targets), until }] : []),
    ...(some(0.25) ? [{ send: random.pick(targets), until: '2026-07-01' }] : []),
    ...(some(0.25) ? [{ receive: random.pick(targets), until }] : []),
    ...(some(0.2) ? [{ access: random.pick(['national', 'anywhere'] as const), until }] : []),
  ]
  return {
    send: random.pick(scopes),
    receive: random.pick(scopes),
    access: random.pick(['institution', 'institution', 'national', 'anywhere'] as const),
    except,
    ...(some(0.3) && { aliases: [`${localpart}.alias`] }),
    ...(some(0.12) && { state: random.pick(['withdrawn', 'blocked'] as const) }),
  }
}

function randomEstate(random: Random): EstateText {
  const institutions = { one: randomInstitution(random), two: randomInstitution(random) }
  const domains: Record<string, EstateText['domains'][string]> = {}
  const accounts: Record<string, EstateText['accounts'][string]> = {}
  for (const name of domainNames) {
    if (random.chance(0.25)) continue
    domains[name] = randomDomain(random)
    for (const localpart of localparts)
      if (random.chance(0.7)) accounts[`${localpart}@${name}`] = randomAccount(random, localpart)
  }
  const names = Object.keys(domains)
  const holds =
    names.length > 0 && random.chance(0.2)
      ? [
          {
            incident: 'INC-1',
            domain: random.pick(names),
            levers: [random.pick(['send', 'receive', 'login', 'relay'] as const)],
          },
        ]
      : []
  const modes = random.chance(0.1) ? { [random.pick(policyNames)]: random.pick(['off', 'observe'] as const) } : {}
  return { institutions, domains, accounts, holds, modes, national: randomNational(random), ...randomCountry(random) }
}

/** Without those of `identityPolicies`: where they are not enforced a comparison says that it may miss something. */
const policyNames = ['withdrawn', 'suspended', 'off-network', 'scope-send', 'scope-receive'] as const

const header = (rows: number) => `2|lacnic|20260101|${rows}|19870101|20260101|-0500\n`
const countries = [
  `${header(3)}lacnic|CU|ipv4|198.51.100.0|256|20200101|allocated|a\nlacnic|ES|ipv4|203.0.113.0|256|20200101|allocated|b\nlacnic|CU|ipv6|2001:db8:c0::|44|20200101|allocated|a\n`,
  `${header(2)}lacnic|CU|ipv4|198.51.100.0|9|20200101|allocated|a\nlacnic|ES|ipv4|198.51.100.9|300|20200101|allocated|b\n`,
]

function randomCountry(random: Random): { readonly country?: string } {
  return random.chance(0.3) ? { country: random.pick(countries) } : {}
}

function randomNational(random: Random) {
  return {
    suffixes: random.pick([['cu'], ['cu'], ['cu', 'int'], []]),
    domains: random.pick([[], ['who.int']]),
    networks: random.pick([[], ['10.1.0.0/28'], ['10.9.0.0/30', '10.1.0.6/31']]),
  }
}

function randomDomain(random: Random): EstateText['domains'][string] {
  return {
    institution: random.pick(['one', 'one', 'two'] as const),
    inbound: random.pick(['keep', 'defer', 'reject'] as const),
    ...(random.chance(0.1) && { state: random.pick(['withdrawn', 'blocked'] as const) }),
    ...(random.chance(0.2) && { collector: 'multipop' }),
  }
}

function mutate(random: Random, estate: Mutable<EstateText>): void {
  const accounts = estate.accounts as Record<string, EstateText['accounts'][string]>
  const domains = estate.domains as Record<string, EstateText['domains'][string]>
  const institutions = estate.institutions as Record<string, EstateText['institutions'][string]>
  const address = random.pick([...Object.keys(accounts), ...Object.keys(domains).map(name => `luis@${name}`)])
  const name = random.pick(domainNames)
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      if (address !== undefined) accounts[address] = randomAccount(random, address.split('@')[0] ?? '')
      break
    case 3:
      if (address !== undefined) delete accounts[address]
      break
    case 4:
      domains[name] = randomDomain(random)
      break
    case 5:
      delete domains[name]
      for (const key of Object.keys(accounts)) if (key.endsWith(`@${name}`)) delete accounts[key]
      break
    case 6:
      institutions[random.pick(['one', 'two'])] = randomInstitution(random)
      break
    default:
      if (random.chance(0.3)) {
        delete (estate as { country?: string }).country
        Object.assign(estate, randomCountry(random))
      } else if (random.chance(0.5)) Object.assign(estate, { national: randomNational(random) })
      else Object.assign(estate, { modes: random.chance(0.5) ? {} : { [random.pick(policyNames)]: 'off' } })
  }
}

const clients = [
  '',
  '10.1.0.0',
  '10.1.0.1',
  '10.1.0.2',
  '10.1.0.4',
  '10.1.0.6',
  '10.1.0.8',
  '10.9.0.1',
  '10.9.0.3',
  '2001:db8::1',
  '2001:db8::2',
  '198.51.100.8',
  '198.51.100.9',
  '198.51.101.1',
  '203.0.113.9',
  '2001:db8:cf::1',
]
const foreign = [
  'x@who.int',
  'y@who.int',
  'y@sub.who.int',
  'y@cu',
  'y@dep.cu',
  'y@sub.uno.cu',
  'y@far.org',
  'y@[10.1.0.1]',
  'y@[10.9.0.2]',
  'y@[10.77.0.1]',
  'y@[198.51.100.9]',
  'y',
  '',
  '"a b"@uno.cu',
]

function addressesOf(estate: EstateText): string[] {
  return [
    ...Object.keys(estate.domains).flatMap(name => [`admin@${name}`, `nadie@${name}`, `multipop@${name}`]),
    ...Object.entries(estate.accounts).flatMap(([address, { aliases = [] }]) => [
      address,
      ...aliases.map(alias => `${alias}@${address.split('@')[1]}`),
    ]),
  ]
}

/** Every request over all that the pair has and a few of the rest, chosen anew for each pair. */
export function* requests(random: Random, { before, after }: ReturnType<typeof randomPair>): Iterable<Question> {
  const some = <T>(values: readonly T[], chance: number) => values.filter(() => random.chance(chance))
  const own = [...new Set([...addressesOf(before), ...addressesOf(after)])]
  const all = [...own, ...some(foreign, 0.3)]
  const senders = [...some(own, 0.3), ...some(foreign, 0.3)]
  for (const clientAddress of some(clients, 0.25)) {
    for (const sender of senders) {
      yield { state: 'MAIL', clientAddress, sender, recipient: '', login: '' }
      for (const recipient of all)
        if (recipient !== '') yield { state: 'RCPT', clientAddress, sender, recipient, login: '' }
    }
    for (const login of own)
      for (const sender of new Set([login, ...some(all, 0.1), login.replace('@', '.alias@'), ''])) {
        yield { state: 'MAIL', clientAddress, sender, recipient: '', login }
        for (const recipient of some(all, 0.3))
          if (recipient !== '') yield { state: 'RCPT', clientAddress, sender, recipient, login }
      }
  }
}

/**
 * What becomes of a request, written apart from the analysis: the live decision, a login that the directory has, and
 * Postfix's own refusal of strangers' mail for elsewhere.
 */
export function isPermitted(estate: EstateText, snapshot: Snapshot, asked: Question): boolean {
  const { login, recipient, clientAddress } = asked
  const isHere = (address: string) => estate.domains[address.slice(address.lastIndexOf('@') + 1)] !== undefined
  if (login !== '' && !isHere(login)) return false
  if (login === '' && recipient !== '' && !isHere(recipient) && relaysFor(estate, clientAddress).length === 0)
    return false
  return decide(snapshot, { ...asked, instance: '' }, { at, usage: null }).effect === 'dunno'
}
