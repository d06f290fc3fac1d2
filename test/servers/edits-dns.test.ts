/**
 * Each name server edited by hand, in ten ways and more: each edit is seen, and treated by the policy of its kind, while a
 * thousand records of others stay as they were. Nothing in DNS tells who it was.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBind, whyNoBind } from './bind.ts'
import { addForeigners, dnsEdits, foreignRecords, type Hand, heldDomain } from './edits/dns.ts'
import { createFleet, expectTold, type Fleet, type Story } from './edits/fleet.ts'
import { bindHand, knotHand, pdnsHand } from './edits/hands.ts'
import { startKnot, whyNoKnot } from './knot.ts'
import { type Backend, startPdns, whyNoPdns } from './pdns.ts'
import { describeServers } from './suite.ts'

type Secrets = (name: string, value: string) => string

/** A name server with its line of the configuration, and the hand that edits it. */
type NameServer = {
  readonly line: (secret: Secrets) => string
  readonly hand: Hand
  readonly stop: () => Promise<void>
}

async function openPdns(backend: Backend): Promise<NameServer> {
  const pdns = await startPdns({ backend })
  return {
    line: secret => `dns: { kind: powerdns, url: "${pdns.url}", apiKey: ${secret('pdns', pdns.key.reveal())} }`,
    hand: pdnsHand(pdns, backend),
    stop: pdns.stop,
  }
}

const nameServers: Readonly<Record<string, { whyNot: () => string | null; open: () => Promise<NameServer> }>> = {
  'PowerDNS on gsqlite3': { whyNot: () => whyNoPdns('gsqlite3'), open: () => openPdns('gsqlite3') },
  'PowerDNS on lmdb': { whyNot: () => whyNoPdns('lmdb'), open: () => openPdns('lmdb') },
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
      foreigners = await addForeigners(server.hand)
      before = foreigners()
      story = await fleet.tell(edits)
    }, 180_000)
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
