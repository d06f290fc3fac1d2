/**
 * Each server edited by hand, in ten ways and more: each edit is seen, attributed where the server tells who it was, and
 * treated by the policy of its kind, while a thousand objects of others stay as they were to the byte.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBind, whyNoBind } from './bind.ts'
import { addForeigners as addForeignRecords, dnsEdits, foreignRecords, type Hand, heldDomain } from './edits/dns.ts'
import { createFleet, expectTold, type Fleet, type Story } from './edits/fleet.ts'
import { bindHand, knotHand, pdnsHand } from './edits/hands.ts'
import { addForeigners, directoryEdits, foreignPeople } from './edits/slapd.ts'
import { startKnot, whyNoKnot } from './knot.ts'
import { type Backend, startPdns, whyNoPdns } from './pdns.ts'
import { type Slapd, startSlapd, whyNoSlapd } from './slapd.ts'
import { describeServers } from './suite.ts'

describeServers('OpenLDAP edited by hand', whyNoSlapd, () => {
  let slapd: Slapd
  let fleet: Fleet
  let story: Story
  const incidents = new Map<string, string>()
  const edits = directoryEdits(
    () => slapd,
    domain => incidents.get(domain) ?? '',
  )
  let foreigners: () => readonly string[]
  let before: readonly string[]

  beforeAll(async () => {
    slapd = await startSlapd()
    fleet = await createFleet(edits.map(({ domain }) => domain))
    const { url, base, agentDn, password, caFile } = slapd
    const secret = fleet.secret('ldap', password.reveal())
    await fleet.apply({
      directory: `directory: { kind: ldap, url: "${url}", base: "${base}", bindDn: "${agentDn}", password: ${secret}, startTls: true, ca: ${caFile} }`,
    })
    for (const scope of ['retenida.cu', 'mlopez@castigada.cu', 'mlopez@ocultada.cu']) {
      const { exit, json } = await fleet.estate.json(['suspend', scope, '--class', 'spam', '--reason', 'x'])
      expect(exit).toBe(0)
      incidents.set(scope.split('@').at(-1) ?? '', json.incident)
    }
    foreigners = addForeigners(slapd, ['cuota.cu', 'alias.cu', 'retenida.cu'])
    before = foreigners()
    story = await fleet.tell(edits)
  }, 60_000)
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]()
    await slapd?.close()
  })

  for (const edit of edits) test(edit.name, () => expectTold(story, edit))

  test('a hold that we may not close again is told: its lever has failed, and is not called verified', async () => {
    const levers = async (domain: string) =>
      (await fleet.estate.json(['incident', 'show', incidents.get(domain) ?? ''])).json.levers
    expect((await levers('ocultada.cu')).login).toBe('failed')
    expect((await levers('castigada.cu')).login).toBe('verified')
  })

  test('what is contested is on record once, until somebody settles it', async () => {
    const { estate } = fleet
    const dn = `mail=mlopez@marca.cu,dc=marca.cu,ou=domains,${slapd.base}`
    slapd.ldap('ldapdelete', `${dn}\n`)
    await estate.json(['apply', '--yes'])
    const { entries } = (await estate.json(['register', 'list'])).json
    const of = (kind: string) => entries.filter((entry: any) => entry.kind === kind)
    expect(of('contested.found')).toHaveLength(1)
    expect(of('contested.ended')).toMatchObject([
      { facts: { count: 1 }, personal: { refs: [{ key: 'mlopez@marca.cu' }] } },
    ])
    expect(slapd.search(dn, 'base', '(objectClass=*)', 'mwQuotaBytes')).toContain('mwQuotaBytes: 0')
  })

  test('a thousand entries of others are as they were, to the byte', () => {
    expect(before).toHaveLength(foreignPeople)
    expect(foreigners()).toEqual(before)
    expect(story.seen.crowd).toBeGreaterThan(foreignPeople / 4)
    expect(story.left.crowd).toBe(story.seen.crowd)
  })
})

type Secrets = (name: string, value: string) => string

/** A name server with its line of the configuration, and the hand that edits it. */
type NameServer = {
  readonly line: (secret: Secrets) => string
  readonly hand: Hand
  readonly stop: () => Promise<void>
}

async function openPdns(backend: Backend): Promise<NameServer> {
  const pdns = await startPdns(backend)
  return {
    line: secret => `dns: { kind: powerdns, url: "${pdns.url}", apiKey: ${secret('pdns', pdns.key.reveal())} }`,
    hand: pdnsHand(pdns, backend),
    stop: pdns.close,
  }
}

const nameServers: Readonly<Record<string, { whyNot: () => string | null; open: () => Promise<NameServer> }>> = {
  'PowerDNS on gsqlite3': { whyNot: whyNoPdns, open: () => openPdns('gsqlite3') },
  'PowerDNS on lmdb': { whyNot: whyNoPdns, open: () => openPdns('lmdb') },
  BIND: {
    whyNot: whyNoBind,
    async open() {
      const bind = await startBind()
      const { folder, include, rndc } = bind.zoneMaking
      const making = `zones: { making: bind, folder: ${folder}, include: ${include}, command: ${JSON.stringify(rndc)} }`
      return { line: secret => rfc2136Line(bind, making, secret), hand: bindHand(bind), stop: bind.stop }
    },
  },
  Knot: {
    whyNot: whyNoKnot,
    async open() {
      const knot = await startKnot()
      const { folder, knotc } = knot.zoneMaking
      const making = `zones: { making: knot, folder: ${folder}, command: ${JSON.stringify(knotc)} }`
      return { line: secret => rfc2136Line(knot, making, secret), hand: knotHand(knot), stop: knot.stop }
    },
  },
}

function rfc2136Line(
  { server, key }: Pick<Awaited<ReturnType<typeof startBind>>, 'server' | 'key'>,
  making: string,
  secret: Secrets,
): string {
  const keyText = `{ name: ${key.name}, algorithm: ${key.algorithm}, secret: ${secret('tsig', key.secret.reveal())} }`
  return `dns: { kind: rfc2136, server: "${server}", key: ${keyText}, ${making} }`
}

for (const [name, { whyNot, open }] of Object.entries(nameServers))
  describeServers(`${name} edited by hand`, whyNot, () => {
    let server: NameServer
    let fleet: Fleet
    let story: Story
    const selectorOf = async (zone: string) => {
      const { json } = await fleet.estate.json(['register', 'list', '--kind', 'dkim.created'])
      return json.entries.find((entry: any) => entry.facts.domain === zone).facts.selector
    }
    let foreigners: () => readonly string[]
    let before: readonly string[]
    const edits = dnsEdits(() => server.hand, selectorOf)

    beforeAll(async () => {
      server = await open()
      fleet = await createFleet(edits.map(({ domain }) => domain))
      await fleet.apply({ dns: server.line(fleet.secret) })
      expect((await fleet.estate.json(['suspend', heldDomain, '--class', 'spam', '--reason', 'x'])).exit).toBe(0)
      foreigners = await addForeignRecords(server.hand)
      before = foreigners()
      story = await fleet.tell(edits)
    }, 60_000)
    afterAll(async () => {
      await fleet?.[Symbol.asyncDispose]()
      await server?.stop()
    })

    for (const edit of edits) test(edit.name, () => expectTold(story, edit))

    test('a thousand records of others are as they were, the serial of their zone included', () => {
      // With the SOA and the NS of the zone that is theirs.
      expect(before).toHaveLength(foreignRecords + 2)
      expect(foreigners()).toEqual(before)
      expect(story.seen.crowd).toBeGreaterThanOrEqual(foreignRecords / 2)
      expect(story.left.crowd).toBe(story.seen.crowd)
    })
  })
