/**
 * Starts a private slapd on loopback below one temporary folder: with the schema of config/ldap, an agent with rights
 * and limits as we print them, a DN under slapd's default size limit, and a certificate made a moment ago. It runs in
 * the foreground, so that it is stopped, or killed, by its own process and ends with the test run.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Secret } from '../../agent/core/secret.ts'
import type { ProfileName } from '../../providers/ldap/profiles.ts'
import { renderLdapSnippets } from '../../providers/ldap/snippets.ts'
import { freePort } from '../support/free-port.ts'
import { run, waitUntil } from './mail-servers.ts'
import { absentOf } from './suite.ts'

export type Slapd = {
  readonly folder: string
  readonly profile: ProfileName
  readonly url: string
  readonly secureUrl: string
  readonly base: string
  readonly password: Secret
  readonly agentDn: string
  /** As the agent, under slapd's default size limit. */
  readonly limitedDn: string
  /** Reads, passwords included: for Postfix and Dovecot. */
  readonly readerDn: string
  readonly adminDn: string
  /** The certificate, its own authority. */
  readonly caFile: string
  /** `ldapadd`, `ldapmodify` or `ldapdelete` as the administrator, the other party of every test. */
  ldap(program: 'ldapadd' | 'ldapmodify' | 'ldapdelete', input: string): void
  /** `ldapsearch` as the administrator, one `name: value` a line. */
  search(base: string, scope: 'base' | 'sub', filter: string, ...attributes: string[]): string[]
  start(): Promise<void>
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
  close(): Promise<void>
}

const programs = ['/usr/sbin/slapd', '/usr/bin/ldapadd', '/usr/bin/ldapmodify', '/usr/bin/ldapsearch']

/** Why no slapd can run here; null when one can. */
export function whyNoSlapd(): string | null {
  return absentOf([...programs, '/etc/ldap/schema/misc.schema', '/usr/lib/ldap/back_mdb.so', '/usr/bin/openssl'])
}

export type SlapdOptions = {
  /** `fast` loses on a power cut what no test looks for; `durable` is as it comes. */
  readonly sync: 'fast' | 'durable'
  /** Lines of the database, after its own. */
  readonly lines?: readonly string[]
  /** Whose schema is loaded, and whose rights; `own` by default. */
  readonly profile?: ProfileName
}

const base = 'dc=example'
const password = 'canary-bind-secret'
const nameOf = (name: string) => `cn=${name},${base}`

/** A port that was free a moment ago may be somebody's by now: the other tests open connections by the thousand. */
const startsMax = 3

export async function startSlapd(options: SlapdOptions = { sync: 'fast' }): Promise<Slapd> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options)
    } catch (error) {
      if (attempt >= startsMax) throw error
    }
  }
}

async function startOnce(options: SlapdOptions): Promise<Slapd> {
  const folder = mkdtempSync('/tmp/mw-ldap-')
  // The mail servers' users read the certificate.
  chmodSync(folder, 0o755)
  const [port, securePort] = [await freePort(), await freePort()]
  const [url, secureUrl] = [`ldap://127.0.0.1:${port}`, `ldaps://127.0.0.1:${securePort}`]
  const caFile = join(folder, 'cert.pem')
  let child: ChildProcess | undefined
  const killAll = () => child?.kill('SIGKILL')
  process.on('exit', killAll)
  const bound = ['-x', '-H', url, '-D', nameOf('admin'), '-w', password]

  const slapd: Slapd = {
    folder,
    profile: options.profile ?? 'own',
    url,
    secureUrl,
    base,
    password: new Secret(password),
    agentDn: nameOf('agent'),
    limitedDn: nameOf('limited'),
    readerDn: nameOf('reader'),
    adminDn: nameOf('admin'),
    caFile,
    ldap(program, input) {
      const { status, stderr } = run(`/usr/bin/${program}`, bound, input)
      if (status !== 0) throw new Error(`${program}: ${stderr}`)
    },
    search(from, scope, filter, ...attributes) {
      const args = [...bound, '-LLL', '-o', 'ldif-wrap=no', '-b', from, '-s', scope, filter, ...attributes]
      const { status, stdout, stderr } = run('/usr/bin/ldapsearch', args)
      if (status !== 0 && status !== 32) throw new Error(`ldapsearch: ${stderr}`)
      return stdout.split('\n').filter(line => line !== '')
    },
    async start() {
      const started = spawn(
        '/usr/sbin/slapd',
        ['-d', '0', '-f', join(folder, 'slapd.conf'), '-h', `${url}/ ${secureUrl}/`],
        { stdio: 'ignore', env: {} },
      )
      child = started
      await waitUntil('slapd', () => {
        if (started.exitCode !== null) throw new Error(`slapd ended with ${started.exitCode}`)
        return run('/usr/bin/ldapsearch', [...bound, '-LLL', '-b', '', '-s', 'base', '1.1']).status === 0
      })
    },
    async stop(signal = 'SIGTERM') {
      const running = child
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
      const gone = new Promise(resolve => running.once('exit', resolve))
      running.kill(signal)
      await gone
    },
    async close() {
      await slapd.stop('SIGKILL')
      process.off('exit', killAll)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    mkdirSync(join(folder, 'db'))
    makeCertificate(folder, 'cert')
    writeFileSync(join(folder, 'slapd.conf'), configuration(folder, options))
    await slapd.start()
    slapd.ldap('ldapadd', people)
    return slapd
  } catch (error) {
    await slapd.close()
    throw error
  }
}

/** `<name>.pem` and `<name>-key.pem`: a certificate for 127.0.0.1 that signs itself. */
export function makeCertificate(folder: string, name: string): void {
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', join(folder, `${name}-key.pem`), '-out', join(folder, `${name}.pem`)]
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const { status, stderr } = run('/usr/bin/openssl', ['req', '-x509', ...key, '-days', '2', ...subject, ...files])
  if (status !== 0) throw new Error(stderr)
}

const people = `dn: ${base}
objectClass: dcObject
objectClass: organization
dc: example
o: Operator
${['agent', 'limited', 'reader']
  .map(
    name => `
dn: ${nameOf(name)}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: ${name}
userPassword: ${password}
`,
  )
  .join('')}`

function configuration(folder: string, { sync, lines = [], profile = 'own' }: SlapdOptions): string {
  const root = join(import.meta.dirname, '..', '..')
  const schemas = [
    'config/ldap/mailwarden.schema',
    ...(profile === 'own' ? [] : [`test/ldap/schema/${profile}.schema`]),
  ]
  // slapd may be fenced in to its own folders, so it gets copies.
  for (const schema of schemas) writeFileSync(join(folder, basename(schema)), readFileSync(join(root, schema)))
  const shipped = ['core', 'cosine', 'inetorgperson', ...(profile === 'own' ? ['misc'] : [])]
  const [agentDn, readerDn, limitedDn] = ['agent', 'reader', 'limited'].map(nameOf) as [string, string, string]
  const site = {
    url: 'ldap://127.0.0.1',
    base,
    agentDn,
    readerDn,
    readerPassword: new Secret(password),
    policy: 'unix:/x',
    profile,
  }
  const printed = renderLdapSnippets(site).find(({ path }) => path === 'slapd/mailwarden.conf')?.text ?? ''
  // What we print, with the same rights for the DN that has no limits of its own.
  const right = `by dn.exact="${agentDn}" write`
  const rights = printed.replaceAll(right, `${right}\n  by dn.exact="${limitedDn}" write`)
  return `${shipped.map(name => `include /etc/ldap/schema/${name}.schema`).join('\n')}
${schemas.map(schema => `include ${join(folder, basename(schema))}`).join('\n')}
pidfile ${folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
moduleload auditlog
TLSCertificateFile ${folder}/cert.pem
TLSCertificateKeyFile ${folder}/cert-key.pem
threads 16
loglevel none
database mdb
suffix ${base}
rootdn ${nameOf('admin')}
rootpw ${password}
directory ${folder}/db
maxsize 2147483648
${sync === 'fast' ? 'dbnosync' : ''}
${rights}
access to attrs=userPassword by anonymous auth by * none
access to * by * none
${lines.join('\n').replaceAll('FOLDER', folder)}
`
}
