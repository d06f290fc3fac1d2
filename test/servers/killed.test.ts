/**
 * The agent killed (SIGKILL) fifty times in the middle of an apply over OpenLDAP and PowerDNS: at each step around a
 * batch, in turn. The next apply converges to an empty plan, nothing is made twice, and what others have stays.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEstate, type Estate, institutionText } from '../support/estate.ts'
import { type Pdns, startPdns, whyNoPdns } from './pdns.ts'
import { type Slapd, startSlapd, whyNoSlapd } from './slapd.ts'
import { describeServers } from './suite.ts'

const kills = 50
const steps = ['apply.beforeIntent', 'apply.afterIntent', 'apply.afterChange', 'apply.afterBatch', 'apply.afterOutcome']

/** Other accounts and another record in each round, so that each has creates, updates and deletes to be cut. */
function manifest(round: number): string {
  const accounts = Array.from(
    { length: 4 },
    (_, n) => `{ name: p${n}, access: ${(round + n) % 2 === 0 ? 'anywhere' : 'national'} }`,
  )
  const come = `{ name: r${round % 3} }`
  return institutionText('hospital', { domain: 'hcg.sld.cu', accounts: [...accounts, come] }).replace(
    '  defaults:',
    `  dns: { extra: [{ name: www, type: A, values: [192.0.2.${(round % 200) + 1}] }] }\n  defaults:`,
  )
}

describeServers(
  'the agent killed over real servers',
  () => whyNoSlapd() ?? whyNoPdns('lmdb'),
  () => {
    let slapd: Slapd
    let pdns: Pdns
    let estate: Estate

    beforeAll(async () => {
      slapd = await startSlapd()
      pdns = await startPdns({ backend: 'lmdb', durable: 'durable' })
      estate = await createEstate(
        { 'hospital.yaml': manifest(0) },
        { config: '  limits: { deletes: 100, updatePercent: 100 }' },
      )
      const secret = (name: string, value: string) => {
        const file = join(estate.folder, `${name}.secret`)
        writeFileSync(file, value, { mode: 0o600 })
        return `{ file: ${file} }`
      }
      const { url, base, agentDn, password, caFile } = slapd
      estate.configure({
        directory: `directory: { kind: ldap, url: "${url}", base: "${base}", bindDn: "${agentDn}", password: ${secret('ldap', password.reveal())}, ca: ${caFile}, startTls: true }`,
        dns: `dns: { kind: powerdns, url: "${pdns.url}", apiKey: ${secret('pdns', pdns.key.reveal())} }`,
      })
      expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
      slapd.ldap('ldapadd', `dn: cn=impresora,dc=hcg.sld.cu,ou=domains,${base}\nobjectClass: device\ncn: impresora\n`)
    }, 60_000)
    afterAll(async () => {
      await estate?.[Symbol.asyncDispose]()
      await pdns?.stop()
      await slapd?.close()
    })

    test(`${kills} times`, async () => {
      let cut = 0
      for (let round = 1; cut < kills && round < 2 * kills; round += 1) {
        estate.write('hospital.yaml', manifest(round))
        const point = `${steps[round % steps.length]}:${(Math.floor(round / steps.length) % 2) + 1}`
        const killed = await estate.cli(['apply', '--yes'], { env: { MAILWARDEN_FAILPOINT: point } })
        if (killed.signal === 'SIGKILL') cut += 1
        else expect(killed.exit).toBe(0)
        if (round % 5 !== 0) continue
        const healed = await estate.json(['apply', '--yes'])
        expect({ round, exit: healed.exit, contested: healed.json.contested }).toEqual({
          round,
          exit: 0,
          contested: [],
        })
      }
      expect(cut).toBe(kills)
      expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
      expect(await estate.json(['plan'])).toMatchObject({ exit: 0, json: { changes: [], contested: [], keys: [] } })
      const people = slapd.search(`ou=domains,${slapd.base}`, 'sub', '(objectClass=mwAccount)', 'mail')
      const mails = people.filter(line => line.startsWith('mail: '))
      expect(mails.length).toBe(new Set(mails).size)
      expect(mails).toHaveLength(6)
      expect(slapd.search(`cn=impresora,dc=hcg.sld.cu,ou=domains,${slapd.base}`, 'base', '(cn=*)', 'cn')).toContain(
        'cn: impresora',
      )
      const { json } = await pdns.api('GET', '/zones/hcg.sld.cu.')
      const names = json.rrsets.map(({ name, type }: { name: string; type: string }) => `${name} ${type}`)
      expect(names.length).toBe(new Set(names).size)
      expect((await estate.json(['register', 'verify'])).exit).toBe(0)
    }, 400_000)
  },
)
