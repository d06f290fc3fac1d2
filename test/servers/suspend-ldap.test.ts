/**
 * A domain whose directory is OpenLDAP: one write closes it before its accounts carry the flag, and each lever is proved as
 * soon as all that it closes is closed. Over real slapd, Dovecot and Postfix.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { renderLdapSnippets } from '../../providers/ldap/snippets.ts'
import { closeSessions, openSessions } from '../mail-hosts/bench.ts'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'
import { mailLine } from './mail-hosts.ts'
import { type MailServers, startMailServers, whyNoServers } from './mail-servers.ts'
import { type Slapd, startSlapd, whyNoSlapd } from './slapd.ts'
import { describeServers } from './suite.ts'
import { imapLogin } from './wire.ts'

const home = '127.0.0.1'
const domain = 'hcg.sld.cu'
const password = 'una-clave-larga-de-prueba'
const user = `cuenta1@${domain}`
const accountsCount = 300

describeServers(
  'a suspension over OpenLDAP',
  () => whyNoSlapd() ?? whyNoServers(),
  () => {
    let slapd: Slapd
    let servers: MailServers
    let estate: Estate
    let daemon: Daemon
    const isLetIn = async () =>
      (await imapLogin({ port: servers.ports.imap, from: home }, { user, password })).startsWith('OK')
    /** Of before any incident: later ones would not count at once. */
    const tokens = new Map<string, string>()
    const annul = async (id: string) => {
      for (const name of ['ana', 'carla']) {
        const env = { MAILWARDEN_TOKEN: tokens.get(name) ?? '' }
        const { exit, json } = await estate.json(['incident', 'annul', id, '--reason', 'x'], { env })
        expect([name, exit, json.error, json.trouble]).toEqual([name, name === 'ana' ? 3 : 0, undefined, undefined])
      }
    }
    const entriesSince = async (index: number) =>
      (await estate.json(['register', 'list', '--from', String(index)])).json.entries

    beforeAll(async () => {
      slapd = await startSlapd({ sync: 'durable', lines: ['overlay syncprov'] })
      const policyPort = await freePort()
      const { url, caFile, base, agentDn, readerDn, password: secret } = slapd
      const site = { url, caFile, base, agentDn, readerDn, readerPassword: secret }
      servers = await startMailServers({
        policy: `${home}:${policyPort}`,
        doors: true,
        directory: {
          mapType: 'ldap',
          snippets: ({ directory: _, sql, group: __, ...values }) =>
            renderLdapSnippets({ ...site, ...values, dovecot: join(sql, '..') }),
        },
      })
      const secretFile = join(servers.folder, 'ldap-password')
      writeFileSync(secretFile, `${secret.reveal()}\n`, { mode: 0o600 })
      const accounts = Array.from({ length: accountsCount }, (_, n) => `{ name: cuenta${n}, quota: 1MiB }`)
      const options = { domain, network: `${home}/32`, accounts, accountsMax: accountsCount + 10 }
      const files = { 'hospital.yaml': institutionText('hospital', options) }
      const directory = `directory: { kind: ldap, url: "${url}", base: "${base}", bindDn: "${agentDn}", password: { file: ${secretFile} }, startTls: true, ca: ${caFile} }`
      estate = await createEstate(files, { policyPort, providers: { directory, mail: mailLine(servers) } })
      expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
      daemon = await estate.start()
      await daemon.until(line => line['event'] === 'ready', 'ready')
      await estate.cli(['password', user, '--stdin'], { input: password })
      for (const name of ['ana', 'carla']) tokens.set(name, (await estate.cli(['token', 'create', name])).out.trim())
    }, 120_000)
    afterAll(async () => {
      await estate?.[Symbol.asyncDispose]()
      await servers?.stop()
      await slapd?.close()
    })

    test('a directory that stands still keeps no other door open, and is closed when it goes on', async () => {
      const pid = Number(readFileSync(join(slapd.folder, 'slapd.pid'), 'utf8'))
      const [session] = await openSessions({ servers, password, sinkPort: 0 }, [user], 'imap')
      process.kill(pid, 'SIGSTOP')
      try {
        const suspending = estate.json(['suspend', domain, '--class', 'spam', '--reason', 'x'])
        await session?.end
        const { json: list } = await eventually(async () => {
          const found = await estate.json(['incident', 'list'])
          return found.json.incidents[0]?.levers.send === 'verified' && found
        }, 'what needs no directory, while it stands still')
        const { id, levers } = list.incidents[0]
        expect(levers.login).not.toBe('verified')
        process.kill(pid, 'SIGCONT')
        await suspending
        await eventually(async () => {
          const { json } = await estate.json(['incident', 'show', id])
          return Object.values(json.levers).every(state => state === 'verified')
        }, 'the rest, by itself')
        expect(await isLetIn()).toBe(false)
        await annul(id)
        await eventually(isLetIn, 'open again')
      } finally {
        process.kill(pid, 'SIGCONT')
        closeSessions(session === undefined ? [] : [session])
      }
    }, 90_000)

    test('levers are proved before the walk has ended, nothing counts as somebody’s edit, and all of it comes back', async () => {
      expect(await isLetIn()).toBe(true)
      const { length: size } = await entriesSince(0)
      const { exit, json } = await estate.json(['suspend', domain, '--class', 'spam', '--reason', 'x'])
      expect(exit).toBe(0)
      expect(new Set(Object.values(json.levers))).toEqual(new Set(['verified']))
      expect(await isLetIn()).toBe(false)

      const carried = () =>
        slapd.search(base(slapd), 'sub', '(&(mwRole=user)(mwDomainStatus=suspended))', '1.1').filter(isName).length
      await eventually(async () => carried() === accountsCount, 'every account carries it')
      const entries = await eventually(async () => {
        const found = await entriesSince(size)
        return found.findLast((entry: any) => entry.kind === 'apply.completed' && entry.facts.plan !== 'doors') && found
      }, 'the end of the walk')
      const indexOf = (is: (entry: any) => boolean) => entries.find(is)?.index
      const proved = indexOf(({ kind, facts }) => kind === 'suspension.lever' && facts.lever === 'login')
      const walked = indexOf(({ kind, facts }) => kind === 'apply.completed' && facts.plan !== 'doors')
      expect(proved).toBeLessThan(walked)
      expect(entries.filter(({ kind }: any) => kind === 'drift.found')).toEqual([])

      // Somebody's edit is one all the same.
      slapd.ldap(
        'ldapmodify',
        `dn: dc=${domain},ou=domains,${base(slapd)}\nchangetype: modify\nreplace: mwLoginStatus\nmwLoginStatus: active\n`,
      )
      await eventually(
        async () => (await entriesSince(size)).some(({ kind }: any) => kind === 'drift.found'),
        'the edit on record',
      )
      await eventually(async () => !(await isLetIn()), 'closed again')

      await annul(json.incident)
      await eventually(isLetIn, 'open again')
      await eventually(async () => (await estate.json(['plan'])).json.changes.length === 0, 'an empty plan')
      expect((await estate.cli(['register', 'verify'])).exit).toBe(0)
    }, 90_000)
  },
)

const base = ({ base: dn }: Slapd) => dn
const isName = (line: string) => line.startsWith('dn:')
