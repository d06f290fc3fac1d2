/** Seeded worlds and requests for the tests that compare and that mutate. The seed is printed, so that a failure can be had again. */

import type { EstateText } from '../../agent/manifest/schema-decisions.ts'
import type { Scope } from '../../agent/model/entity.ts'
import { levers } from '../../agent/model/incident.ts'
import type { PolicyRequest } from '../../agent/standards/policy-delegation.ts'

export type Random = {
  /** Below 1. */
  next(): number
  below(count: number): number
  pick<T>(values: readonly T[]): T
  chance(probability: number): boolean
}

/** Mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (count: number) => Math.floor(next() * count)
  return { next, below, pick: values => values[below(values.length)]!, chance: probability => next() < probability }
}

/**
 * Of the environment, so that a failure can be had again; else new each time.
 * @param usual the seed of a run that asks for none; `SEED=any` draws one.
 */
export function chooseSeed(usual?: number): number {
  const asked = process.env['SEED'] ?? usual ?? 'any'
  const seed = asked === 'any' ? Math.floor(Math.random() * 2 ** 32) : Number(asked)
  console.log(`SEED=${seed}`)
  return seed
}

const scopes: readonly Scope[] = ['local', 'national', 'international']
const domainNames = ['uno.cu', 'dos.cu', 'tres.example', 'cuatro.example', 'xn--nio-8ma.cu']
const localparts = ['ana', 'luis', 'eva', 'juan', 'rosa']
const clients = [
  '10.1.0.5',
  '10.1.0.9',
  '10.2.0.5',
  '10.2.0.9',
  '10.3.0.9',
  '200.55.1.1',
  '200.55.2.44',
  '203.0.113.8',
  '203.0.113.7',
  '127.0.0.1',
  '2001:db8:1::5',
  '2001:db8:1::9',
  '2001:db8:9::1',
  '::ffff:10.1.0.9',
  '::1',
  'unknown',
  '',
  '010.1.0.9',
  '10.1.0.9.',
  'fe80::1%eth0',
]
const foreign = [
  'x@who.int',
  'x@minsap.cu',
  'x@cu',
  'x@ministerio.cult',
  'x@foo.cu.evil.com',
  'x@sub.uno.cu',
  'x@nac.example',
  'x@sub.nac.example',
  'X@WHO.INT.',
  'x@[200.55.1.1]',
  'x@[203.0.113.1]',
  'x@[IPv6:2001:db8:1::1]',
  'x@[IPv6:::ffff:200.55.1.1]',
  'x@minsap.\u0441u',
  'x@evil\u3002cu',
  'x@ni\u00f1o.cu',
  'ana@NI\u00d1O.CU',
  'x@minsap.cu..',
  'x@evil.\uff43\uff55',
  'x@ﬁn.cu',
  'x@evil.cu\u00ad',
  'x%who.int@minsap.cu',
  'who.int!x@uno.cu',
  '@a.cu:x@b.cu',
  'a@b@minsap.cu',
  '"a b"@uno.cu',
  '"ana"@uno.cu',
  '"a@b"@minsap.cu',
  'ana',
  'x%y',
  '',
  '<>',
  '<ana@uno.cu>',
  ' ana@uno.cu',
  'x@',
  '@uno.cu',
  '.ana@uno.cu',
  'ana@uno..cu',
  'ana@-uno.cu',
  'x@1.2.3.4',
  'x@\u00f1.cu/evil.com',
  '\u212Auis@uno.cu',
  'x@uno\uff0ecu',
  `${'a'.repeat(65)}@uno.cu`,
  `x@${'a.'.repeat(130)}cu`,
]
const states = [
  'RCPT',
  'RCPT',
  'RCPT',
  'RCPT',
  'RCPT',
  'MAIL',
  'DATA',
  'END-OF-MESSAGE',
  'EHLO',
  'CONNECT',
  'VRFY',
  'FUTURE',
]
const policyNames = [
  'withdrawn',
  'suspended',
  'suspended-inbound',
  'unknown-account',
  'sender-mismatch',
  'off-network',
  'scope-send',
  'scope-receive',
  'spoofed-sender',
]

export function randomEstate(random: Random): EstateText {
  const institutions = {
    one: {
      networks: ['10.1.0.0/16', '2001:db8:1::/48'],
      servers: [
        { networks: ['10.1.0.5/32'], roles: random.pick([['relay'], ['collect'], ['collect', 'relay']] as const) },
      ],
    },
    two: {
      networks: ['10.2.0.0/16'],
      language: 'en' as const,
      servers: [
        { networks: ['10.2.0.5/32', ...(random.chance(0.3) ? ['10.1.0.5/32'] : [])], roles: ['relay'] as const },
      ],
    },
    three: { networks: ['10.3.0.0/16'], servers: [{ networks: ['2001:db8:1::5/128'], roles: ['relay'] as const }] },
  }
  const domains: Record<string, EstateText['domains'][string]> = {}
  const accounts: Record<string, EstateText['accounts'][string]> = {}
  for (const name of domainNames) {
    domains[name] = {
      institution: random.pick(['one', 'one', 'two', 'three']),
      inbound: random.pick(['keep', 'defer', 'reject']),
      ...(random.chance(0.25) && { state: random.pick(['withdrawn', 'queued', 'blocked', 'restricted'] as const) }),
      ...(random.chance(0.3) && { collector: 'multipop' }),
    }
    for (const localpart of localparts)
      if (random.chance(0.8)) accounts[`${localpart}@${name}`] = randomAccount(random, localpart)
  }
  const addresses = Object.keys(accounts)
  const holds = Array.from({ length: random.below(4) }, (_, index) => {
    const account = random.chance(0.5) ? random.pick(addresses) : undefined
    const some = levers.filter(() => random.chance(0.4))
    return {
      incident: `INC-${index}`,
      domain: account?.split('@')[1] ?? random.pick(domainNames),
      ...(account && { account }),
      ...(random.chance(0.6) && { levers: some }),
    }
  })
  const modes = Object.fromEntries(
    policyNames.filter(() => random.chance(0.05)).map(name => [name, random.pick(['off', 'observe'] as const)]),
  )
  const country = random.chance(0.5) ? { country: randomStatistics(random) } : {}
  const networks = random.chance(0.5) ? ['200.55.0.0/16', '2001:db8:9::/48'] : []
  return {
    institutions,
    domains,
    accounts,
    holds,
    modes,
    ...country,
    national: { suffixes: ['cu'], domains: ['nac.example'], networks },
  }
}

/** Rows around the clients' addresses: of any country, any size, in any order, over each other. */
export function randomStatistics(random: Random): string {
  const rows = Array.from({ length: random.below(12) }, () => {
    const code = random.pick(['CU', 'CU', 'CU', 'ES', 'US', 'EU', 'ZZ', ''])
    const status = random.pick(['allocated', 'assigned', 'allocated', 'reserved', 'available'])
    if (random.chance(0.35)) {
      const start = random.pick(['2001:db8::|32', '2001:db8:1::|48', '2001:db8:8::|45', '2001:db8:9::|64', '2000::|3'])
      return `lacnic|${code}|ipv6|${start}|20200101|${status}`
    }
    const start = random.pick([
      '200.55.0.0',
      '200.55.1.0',
      '200.55.1.1',
      '203.0.112.0',
      '203.0.113.7',
      '10.0.0.0',
      '127.0.0.0',
    ])
    return `lacnic|${code}|ipv4|${start}|${random.pick([1, 2, 7, 256, 300, 65_536, 1_000_000])}|20200101|${status}|a`
  })
  return [`2|lacnic|20260101|${rows.length}|19870101|20260101|-0500`, ...rows, ''].join('\n')
}

function randomAccount(random: Random, localpart: string): EstateText['accounts'][string] {
  const until = random.pick(['2026-06-14', '2026-06-15', '2026-12-31'])
  const except = [
    ...(random.chance(0.2) ? [{ send: random.pick(['who.int', 'x@who.int', 'cult']), until }] : []),
    ...(random.chance(0.2) ? [{ receive: random.pick(['who.int', 'x@who.int', 'com']), until }] : []),
    ...(random.chance(0.2) ? [{ access: random.pick(['national', 'anywhere'] as const), until }] : []),
  ]
  return {
    send: random.pick(scopes),
    receive: random.pick(scopes),
    access: random.pick(['institution', 'institution', 'national', 'anywhere']),
    except,
    ...(random.chance(0.3) && { aliases: [`${localpart}.alias`] }),
    ...(random.chance(0.15) && { state: random.pick(['withdrawn', 'queued', 'blocked', 'restricted'] as const) }),
  }
}

function randomAddress(random: Random, estate: EstateText): string {
  if (random.chance(0.35)) return random.pick(foreign)
  const localpart = random.chance(0.8)
    ? random.pick(localparts)
    : random.pick(['ana.alias', 'postmaster', 'abuse', 'admin', 'multipop', 'nadie', 'luis.alias'])
  const address = random.chance(0.8)
    ? `${localpart}@${random.pick(domainNames)}`
    : random.pick(Object.keys(estate.accounts))
  const [local = '', domain = ''] = address.split('@')
  switch (random.below(12)) {
    case 0:
      return address.toUpperCase()
    case 1:
      return `${address}.`
    case 2:
      return `${local}+lista@${domain}`
    case 3:
      return `${local}%who.int@${domain}`
    default:
      return address
  }
}

export function randomRequest(random: Random, estate: EstateText): PolicyRequest {
  const login = random.chance(0.55) ? randomAddress(random, estate) : ''
  return {
    state: random.pick(states),
    clientAddress: random.pick(clients),
    sender: login !== '' && random.chance(0.75) ? login : randomAddress(random, estate),
    recipient: random.chance(0.05) ? '' : randomAddress(random, estate),
    login,
    instance: `i${random.below(1_000_000)}`,
  }
}

/** As Postfix writes it, with the attributes that decisions do not read among the others. */
export function formatRequest(request: PolicyRequest): string {
  const { state, clientAddress, sender, recipient, login, instance } = request
  return `request=smtpd_access_policy\nprotocol_state=${state}\nprotocol_name=ESMTP\nclient_address=${clientAddress}\nclient_name=unknown\nclient_port=59926\nreverse_client_name=unknown\nserver_address=127.0.0.1\nserver_port=12587\nhelo_name=client\nsender=${sender}\nrecipient=${recipient}\nrecipient_count=0\nqueue_id=\ninstance=${instance}\nsize=0\netrn_domain=\nstress=\nsasl_method=PLAIN\nsasl_username=${login}\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\npolicy_context=submission\n\n`
}
