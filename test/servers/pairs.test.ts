/**
 * The example fleet on every pair of directory and name server: applied, the next plan is empty; edited by hand, it is
 * seen and put back; what nobody of us made stays. All of it through the command line, on real servers.
 */
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { createEstate } from '../support/estate.ts'
import { startBind, whyNoBind } from './bind.ts'
import { startKnot, whyNoKnot } from './knot.ts'
import { backends, startPdns, whyNoPdns } from './pdns.ts'
import { startSlapd, whyNoSlapd } from './slapd.ts'
import { describeServers } from './suite.ts'

const example = fileURLToPath(new URL('../../config/example', import.meta.url))

/** One side of a pair: the line of the configuration, an edit by somebody else, and the end. */
type Side = {
  readonly line: string
  /** Edits one object of ours and adds one of its own; gives the words of both that a plan may show. */
  readonly edit?: () => Promise<void>
  readonly close: () => Promise<void>
}
type Secrets = (name: string, value: string) => string

const directories: Readonly<Record<string, (secret: Secrets) => Promise<Side>>> = {
  embedded: async () => ({ line: 'directory: { kind: embedded, file: ./var/directory.db }', close: async () => {} }),
  OpenLDAP: async secret => {
    const { url, base, agentDn, password, caFile, ...slapd } = await startSlapd()
    return {
      line: `directory: { kind: ldap, url: "${url}", base: "${base}", bindDn: "${agentDn}", password: ${secret('ldap', password.reveal())}, startTls: true, ca: ${caFile} }`,
      edit: async () => {
        const account = `mail=mlopez@hcg.sld.cu,dc=hcg.sld.cu,ou=domains,${base}`
        slapd.ldap('ldapmodify', `dn: ${account}\nchangetype: modify\nreplace: mwQuotaBytes\nmwQuotaBytes: 1\n`)
        slapd.ldap('ldapadd', `dn: cn=impresora,dc=hcg.sld.cu,ou=domains,${base}\nobjectClass: device\ncn: impresora\n`)
      },
      close: slapd.close,
    }
  },
}

const edited = { owner: 'hcg.sld.cu', other: 'ajeno.hcg.sld.cu' }

async function powerDns(secret: Secrets, backend: (typeof backends)[number]): Promise<Side> {
  const pdns = await startPdns({ backend })
  const records = (...contents: string[]) => contents.map(content => ({ content, disabled: false }))
  return {
    line: `dns: { kind: powerdns, url: "${pdns.url}", apiKey: ${secret('pdns', pdns.key.reveal())} }`,
    edit: async () => {
      const rrsets = [
        { name: `${edited.owner}.`, type: 'MX', changetype: 'REPLACE', ttl: 60, records: records('5 otro.example.') },
        { name: `${edited.other}.`, type: 'A', changetype: 'REPLACE', ttl: 60, records: records('192.0.2.77') },
      ]
      expect((await pdns.api('PATCH', '/zones/hcg.sld.cu.', { rrsets })).status).toBe(204)
    },
    close: pdns.stop,
  }
}

const nameServers: Readonly<Record<string, (secret: Secrets) => Promise<Side>>> = {
  embedded: async () => ({ line: 'dns: { kind: embedded, listen: "127.0.0.1:0" }', close: async () => {} }),
  'PowerDNS on gsqlite3': secret => powerDns(secret, 'gsqlite3'),
  'PowerDNS on lmdb': secret => powerDns(secret, 'lmdb'),
  BIND: async secret => {
    const bind = await startBind()
    const { folder, include, rndc } = bind.zoneMaking
    const making = `zones: { making: bind, folder: ${folder}, include: ${include}, command: ${JSON.stringify(rndc)} }`
    const key = `key: { name: ${bind.key.name}, algorithm: ${bind.key.algorithm}, secret: ${secret('tsig', bind.key.secret.reveal())} }`
    return {
      line: `dns: { kind: rfc2136, server: "${bind.server}", ${key}, ${making} }`,
      edit: () => byUpdate(bind),
      close: bind.stop,
    }
  },
  Knot: async secret => {
    const knot = await startKnot()
    const { folder, knotc } = knot.zoneMaking
    const making = `zones: { making: knot, folder: ${folder}, command: ${JSON.stringify(knotc)} }`
    const key = `key: { name: ${knot.key.name}, algorithm: ${knot.key.algorithm}, secret: ${secret('tsig', knot.key.secret.reveal())} }`
    return {
      line: `dns: { kind: rfc2136, server: "${knot.server}", ${key}, ${making} }`,
      edit: () => byUpdate(knot),
      close: knot.stop,
    }
  },
}

async function byUpdate({ third }: Pick<Awaited<ReturnType<typeof startBind>>, 'third'>): Promise<void> {
  const lines = [
    'zone hcg.sld.cu',
    `update delete ${edited.owner}. MX`,
    `update add ${edited.owner}. 60 MX 5 otro.example.`,
    `update add ${edited.other}. 60 A 192.0.2.77`,
    'send',
  ]
  expect(third.nsupdate(lines)).toMatchObject({ status: 0 })
}

const whyNot = () =>
  [whyNoSlapd(), ...backends.map(whyNoPdns), whyNoBind(), whyNoKnot()].find(why => why !== null) ?? null

describeServers('the example fleet on every pair', whyNot, () => {
  const closes: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const close of closes.splice(0)) await close()
  })

  for (const [directory, openDirectory] of Object.entries(directories))
    for (const [nameServer, openNameServer] of Object.entries(nameServers))
      test(`${directory} and ${nameServer}`, { timeout: 180_000 }, async () => {
        await using estate = await createEstate({})
        const secret: Secrets = (name, value) => {
          const file = join(estate.folder, `${name}.secret`)
          writeFileSync(file, value, { mode: 0o600 })
          return `{ file: ${file} }`
        }
        const sides = [await openDirectory(secret), await openNameServer(secret)]
        closes.push(...sides.map(side => side.close))
        estate.configure({ directory: sides[0]?.line ?? '', dns: sides[1]?.line ?? '' })
        rmSync(estate.manifests, { recursive: true })
        cpSync(example, estate.manifests, { recursive: true })
        expect(readdirSync(estate.manifests).length).toBeGreaterThan(5)

        const first = await estate.json(['apply', '--yes'])
        expect({ exit: first.exit, counts: first.json.counts }).toMatchObject({
          exit: 0,
          counts: { failed: 0, unknown: 0 },
        })
        expect(first.json.counts.applied).toBeGreaterThan(300)
        expect(await estate.json(['plan'])).toMatchObject({ exit: 0, json: { changes: [], contested: [], keys: [] } })

        const edits = sides.flatMap(({ edit }) => edit ?? [])
        for (const edit of edits) await edit()
        const drift = await estate.json(['plan'])
        expect(drift.json.changes.map((change: any) => change.why)).toEqual(edits.map(() => 'drift'))
        expect(drift.json.contested).toEqual([])
        expect((await estate.json(['apply', '--yes'])).exit).toBe(0)
        expect((await estate.json(['plan'])).json.changes).toEqual([])
        // What somebody else put beside ours is still there, and still theirs.
        const foreign = (await estate.json(['unmanaged', 'hcg.sld.cu'])).json.objects.map((one: any) => one.ref.key)
        expect(foreign.some((key: string) => key.includes(edited.other))).toBe(sides[1]?.edit !== undefined)
        expect((await estate.json(['register', 'verify'])).exit).toBe(0)
      })
})
