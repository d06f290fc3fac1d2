/**
 * A site as `init --with` leaves it, on servers of Debian below one temporary folder: what `init` wrote and what it printed
 * is used as it is, but for the folders, ports and names of services in `replacements`, which are all that differs from a
 * real host. The printed commands are run by the shell that an operator types them into.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { createEstate, type Estate, launcher } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'
import {
  backDate,
  freePorts,
  makeFolders,
  makeServerCertificate,
  otherServices,
  type Ports,
  privateDovecot,
  privateMainCf,
  run,
  startDaemon,
  stopByPidFile,
  waitForBanner,
} from './mail-servers.ts'
import { answersDns, createDaemon } from './name-server.ts'

export type Step = {
  readonly part: string
  readonly commands: readonly string[]
  readonly checks: readonly { code: string }[]
}

export type InitSite = AsyncDisposable & {
  readonly folder: string
  /** What `init` filled. */
  readonly site: string
  readonly ports: Ports & { readonly dns: number; readonly notices: number }
  readonly slapdUrl: string
  readonly slapdSocket: string
  readonly steps: readonly Step[]
  /** The private servers as Debian starts them, before anybody touched them. */
  prepare(part: string): Promise<void>
  /** Each command of the step, as printed. @throws with what a command said when it fails. */
  follow(part: string): Promise<void>
  cli: Estate['cli']
  json: Estate['json']
  startAgent(): ReturnType<Estate['start']>
}

const base = 'dc=operator,dc=example'
export const administrator = 'the-administrators-own'

/** @param parts as for `--with`; of another profile than our own, its schema stands in slapd before. */
export async function createInitSite(parts: string): Promise<InitSite> {
  const profile = /ldap:([\w-]+)/.exec(parts)?.[1]
  // Short: the path of a unix socket ends at 107 bytes.
  const folder = mkdtempSync('/tmp/mwi-')
  chmodSync(folder, 0o755)
  makeFolders(folder)
  const site = join(folder, 'site')
  const mail = await freePorts()
  const [ldap, dns, api, policy, notices, rndc] = (await Promise.all(Array.from({ length: 6 }, freePort))) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const socket = `ldapi://${encodeURIComponent(join(folder, 'slapd', 'ldapi'))}`
  const knotSocket = join(folder, 'knot', 'knot.sock')
  const replacements: readonly (readonly [from: string, to: string])[] = [
    // Folders of the host.
    ['/etc/postfix/mailwarden', join(folder, 'pf/maps')],
    ['/etc/postfix', join(folder, 'pf/etc')],
    ['/var/spool/postfix', join(folder, 'pf/spool')],
    ['/etc/dovecot', join(folder, 'dv')],
    ['/var/vmail', join(folder, 'dv/mail')],
    ['/etc/powerdns', join(folder, 'pdns')],
    ['/etc/bind', join(folder, 'bind')],
    ['/var/lib/bind', join(folder, 'bind/lib')],
    ['/etc/knot', join(folder, 'knot')],
    ['/var/lib/knot', join(folder, 'knot/lib')],
    // Ports of the host.
    ['ldap://127.0.0.1', `ldap://127.0.0.1:${ldap}`],
    ['"127.0.0.1:53"', `"127.0.0.1:${dns}"`],
    ['127.0.0.1:8081', `127.0.0.1:${api}`],
    ['webserver-port=8081', `webserver-port=${api}`],
    ['127.0.0.1:10031', `127.0.0.1:${policy}`],
    ['127.0.0.1:10025', `127.0.0.1:${notices}`],
    ['127.0.0.1:10080', `127.0.0.1:${mail.doveadm}`],
    ['port = 10080', `port = ${mail.doveadm}`],
    ['submission inet', `127.0.0.1:${mail.submission} inet`],
    ['submissions inet', `127.0.0.1:${mail.submissions} inet`],
    // Where programs look for what is not in its usual place.
    ['ldapi:///', socket],
    ['postconf -e', `postconf -c ${folder}/pf/etc -e`],
    ['postfix check', `postfix -c ${folder}/pf/etc check`],
    ['kind: postfix, name: mx1', `kind: postfix, name: mx1, configFolder: ${folder}/pf/etc`],
    ['doveconf -n', `doveconf -c ${folder}/dv/dovecot.conf -n`],
    ['named-checkconf', `named-checkconf ${folder}/bind/named.conf`],
    ['rndc reconfig', `rndc -c ${folder}/bind/rndc.conf reconfig`],
    ['[/usr/sbin/rndc]', `[/usr/sbin/rndc, -c, ${folder}/bind/rndc.conf]`],
    ['[/usr/sbin/knotc]', `[/usr/sbin/knotc, -s, ${knotSocket}]`],
    ['| knotc', `| knotc -s ${knotSocket}`],
    ['npx mailwarden', `${process.execPath} ${launcher}`],
    ['npx mailwarden apply', `${process.execPath} ${launcher} apply --yes`],
    // This host has no service manager, no user of the mailboxes, and nobody at the prompt.
    ['systemctl ', ': '],
    ['groupadd ', ': '],
    ['useradd ', ': '],
    [' -W ', ` -w ${administrator} `],
    // What an operator fills in: the network that people log in from.
    ['networks: [10.20.0.0/16]', 'networks: [127.0.0.1/32]'],
  ]
  // One pass, so that nothing is replaced in what was put in; the longest first.
  const names = replacements.map(([from]) => from).toSorted((one, other) => other.length - one.length)
  const pattern = new RegExp(names.map(name => name.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')).join('|'), 'g')
  const table = new Map(replacements)
  const replace = (text: string) => text.replaceAll(pattern, found => table.get(found) ?? found)

  const estate = await createEstate({})
  const env = { MAILWARDEN_CONFIG: join(site, 'mailwarden.yaml') }
  const stops: (() => Promise<void>)[] = []
  const made: InitSite = {
    folder,
    site,
    ports: { ...mail, dns, notices },
    slapdUrl: `ldap://127.0.0.1:${ldap}`,
    slapdSocket: socket,
    steps: [],
    cli: (args, options) => estate.cli(args, { ...options, env }),
    json: args => estate.json(args, { env }),
    startAgent: () => estate.start(env),
    async prepare(part) {
      await preparations[part]?.()
    },
    async follow(part) {
      for (const command of made.steps.filter(step => step.part === part).flatMap(step => step.commands)) {
        const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', replace(command)], {
          cwd: site,
          encoding: 'utf8',
          env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', ...env },
        })
        if (status !== 0 && !mayEndOtherwise(command, status))
          throw new Error(`${command}\nended with ${status}: ${stdout}${stderr}`)
        if (command.includes('systemctl ')) await restarts[part]?.()
      }
    },
    async [Symbol.asyncDispose]() {
      for (const stop of stops.splice(0).reverse()) await stop()
      await estate[Symbol.asyncDispose]()
      process.off('exit', killAll)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  const killAll = () => {
    for (const file of ['pf/spool/pid/master.pid', 'dv/run/master.pid'])
      run('/bin/sh', ['-c', `test -f ${join(folder, file)} && kill $(cat ${join(folder, file)}); true`])
  }
  process.on('exit', killAll)

  const daemon = async (
    program: string,
    args: readonly string[],
    at: string,
    ready: () => boolean | Promise<boolean>,
  ) => {
    const child = createDaemon(program, args, join(folder, at), ready)
    stops.push(() => child.stop())
    await child.start()
    return child
  }
  let restartPdns = async () => {}

  const preparations: Readonly<Record<string, () => Promise<void>>> = {
    /** Debian's own first configuration of slapd, as its installer loads it. */
    async ldap() {
      const at = join(folder, 'slapd')
      for (const name of ['', 'config', 'db']) mkdirSync(join(at, name))
      const ldif = readFileSync('/usr/share/slapd/slapd.init.ldif', 'utf8')
        .replaceAll('@SUFFIX@', base)
        .replaceAll('@PASSWORD@', administrator)
        .replaceAll('/var/lib/ldap', join(at, 'db'))
        .replaceAll('/var/run/slapd', at)
      writeFileSync(join(at, 'init.ldif'), ldif)
      must('/usr/sbin/slapadd', ['-n0', '-F', join(at, 'config'), '-l', join(at, 'init.ldif')])
      // As its installer does too; an entry that stands is no mistake for what comes.
      const first = `dn: ${base}\nobjectClass: top\nobjectClass: dcObject\nobjectClass: organization\no: Operator\ndc: operator\n`
      writeFileSync(join(at, 'first.ldif'), first)
      must('/usr/sbin/slapadd', ['-F', join(at, 'config'), '-b', base, '-l', join(at, 'first.ldif')])
      const args = ['-d', '0', '-F', join(at, 'config'), '-h', `ldap://127.0.0.1:${ldap}/ ${socket}/`]
      const asked = ['-x', '-LLL', '-H', `ldap://127.0.0.1:${ldap}`, '-b', '', '-s', 'base', '1.1']
      await daemon('/usr/sbin/slapd', args, 'slapd', () => run('/usr/bin/ldapsearch', asked).status === 0)
      if (profile !== undefined) {
        // What the site has beside it already, through slapd's own translation.
        const conf = join(at, 'theirs.conf')
        const theirs = join(at, 'theirs')
        cpSync(join(import.meta.dirname, `../ldap/schema/${profile}.schema`), join(at, 'theirs.schema'))
        const wanted = ['core', 'cosine', 'inetorgperson'].map(name => `include /etc/ldap/schema/${name}.schema\n`)
        writeFileSync(conf, `${wanted.join('')}include ${join(at, 'theirs.schema')}\n`)
        mkdirSync(theirs)
        must('/usr/sbin/slaptest', ['-f', conf, '-F', theirs])
        const folderOf = join(theirs, 'cn=config/cn=schema')
        const file = readdirSync(folderOf).find(name => name.startsWith('cn={3}')) ?? ''
        const schema = readFileSync(join(folderOf, file), 'utf8')
          .split('\n')
          .filter(line => /^(?:(?:dn|objectClass|cn|olc\w+): | )/.test(line))
          .join('\n')
          .replace(/^dn: .*$/m, 'dn: cn=theirs,cn=schema,cn=config')
          .replace(/^cn: .*$/m, 'cn: theirs')
        must('/usr/bin/ldapadd', ['-Q', '-Y', 'EXTERNAL', '-H', socket], `${schema}\n`)
      }
    },
    async powerdns() {
      const at = join(folder, 'pdns')
      mkdirSync(join(at, 'pdns.d'), { recursive: true })
      const sql = readFileSync('/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql', 'utf8')
      must('/usr/bin/sqlite3', [join(at, 'pdns.db')], `PRAGMA journal_mode=WAL;\n${sql}`)
      const lines = [
        `include-dir=${at}/pdns.d`,
        'launch=gsqlite3',
        `gsqlite3-database=${at}/pdns.db`,
        `local-address=127.0.0.1`,
        `local-port=${dns}`,
        `socket-dir=${at}`,
        'security-poll-suffix=',
      ]
      writeFileSync(join(at, 'pdns.conf'), `${lines.join('\n')}\n`)
      owner(at, 'pdns')
      const args = ['/usr/sbin/pdns_server', `--config-dir=${at}`, '--daemon=no', '--guardian=no']
      const user = ['--reuid=pdns', '--regid=pdns', '--clear-groups']
      const server = await daemon(as, [...user, ...args], 'pdns', () => answersDns(dns))
      restartPdns = async () => {
        await server.stop()
        await server.start()
      }
    },
    /** Debian's named.conf, with a port, folders and a control channel of its own. */
    async bind() {
      const at = join(folder, 'bind')
      for (const name of ['', 'lib', 'cache']) mkdirSync(join(at, name))
      must('/usr/sbin/rndc-confgen', ['-a', '-c', join(at, 'rndc.key')])
      writeFileSync(
        join(at, 'rndc.conf'),
        `include "${at}/rndc.key";\noptions { default-key "rndc-key"; default-server 127.0.0.1; default-port ${rndc}; };\n`,
      )
      for (const name of ['named.conf', 'named.conf.local', 'named.conf.options'])
        writeFileSync(join(at, name), replace(readFileSync(`/etc/bind/${name}`, 'utf8')))
      const options = readFileSync(join(at, 'named.conf.options'), 'utf8')
        .replace('/var/cache/bind', join(at, 'cache'))
        .replace(/dnssec-validation auto;/, 'dnssec-validation no; recursion no;')
        .replace(/listen-on-v6 \{[^}]*\};/, 'listen-on-v6 { none; };')
        .replace(
          'options {',
          `options { listen-on port ${dns} { 127.0.0.1; }; pid-file "${at}/named.pid"; session-keyfile "${at}/session.key"; lock-file none; empty-zones-enable no;`,
        )
      writeFileSync(
        join(at, 'named.conf.options'),
        `include "${at}/rndc.key";\ncontrols { inet 127.0.0.1 port ${rndc} allow { 127.0.0.1; } keys { "rndc-key"; }; };\n${options}`,
      )
      writeFileSync(
        join(at, 'named.conf'),
        readFileSync(join(at, 'named.conf'), 'utf8').replace(/^include .*default-zones";$/m, ''),
      )
      owner(at, 'bind')
      const args = ['-f', '-u', 'bind', '-c', join(at, 'named.conf')]
      await daemon('/usr/sbin/named', args, 'bind', () => answersDns(dns))
    },
    /** Debian's knot.conf, read as a file; the step moves it into a database. */
    async knot() {
      const at = join(folder, 'knot')
      for (const name of ['', 'lib']) mkdirSync(join(at, name))
      const text = replace(readFileSync('/etc/knot/knot.conf', 'utf8'))
        .replace('"/run/knot"', `"${at}"`)
        .replace('user: knot:knot', `listen: 127.0.0.1@${dns}`)
        .replace('target: syslog', `target: ${at}/log`)
      writeFileSync(join(at, 'knot.conf'), text)
      owner(at, 'knot')
    },
    /** Debian's files, with private folders and ports beside them. */
    async dovecot() {
      for (const name of ['dovecot.conf', 'conf.d'])
        cpSync(`/usr/share/dovecot/${name}`, join(folder, 'dv', name), { recursive: true })
      makeServerCertificate(folder)
      for (const name of readdirSync(join(folder, 'dv/conf.d'))) {
        const file = join(folder, 'dv/conf.d', name)
        writeFileSync(file, replace(readFileSync(file, 'utf8')))
      }
      // Where Debian's installer puts its own.
      mkdirSync(join(folder, 'dv/private'))
      cpSync(join(folder, 'cert.pem'), join(folder, 'dv/private/dovecot.pem'))
      cpSync(join(folder, 'key.pem'), join(folder, 'dv/private/dovecot.key'))
      writeFileSync(join(folder, 'dv/conf.d/99-private.conf'), privateDovecot(folder, mail))
    },
    async postfix() {
      for (const name of ['dynamicmaps.cf', 'dynamicmaps.cf.d'])
        cpSync(`/etc/postfix/${name}`, join(folder, 'pf/etc', name), { recursive: true })
      writeFileSync(join(folder, 'pf/etc/main.cf'), `${privateMainCf(folder).join('\n')}\nmynetworks = 127.0.0.0/8\n`)
      writeFileSync(join(folder, 'pf/etc/master.cf'), `127.0.0.1:${mail.smtp} inet n - y - - smtpd\n${otherServices}\n`)
    },
  }
  /** What `systemctl restart` does on a host. */
  const restarts: Readonly<Record<string, () => Promise<void>>> = {
    powerdns: () => restartPdns(),
    async knot() {
      const at = join(folder, 'knot')
      const isUp = () => /^Running/m.test(run('/usr/sbin/knotc', ['-s', knotSocket, 'status']).stdout)
      await daemon(
        as,
        ['--reuid=knot', '--regid=knot', '--clear-groups', '/usr/sbin/knotd', '-C', join(at, 'lib/confdb')],
        'knot',
        isUp,
      )
    },
    async dovecot() {
      stops.push(() => stopByPidFile(join(folder, 'dv/run/master.pid')))
      startDaemon('/usr/sbin/dovecot', ['-c', join(folder, 'dv/dovecot.conf')], join(folder, 'dv/start'))
      for (const port of [mail.imap, mail.lmtp]) await waitForBanner(port)
    },
    async postfix() {
      backDate(join(folder, 'pf/etc'))
      stops.push(() => stopByPidFile(join(folder, 'pf/spool/pid/master.pid')))
      startDaemon('/usr/sbin/postfix', ['-c', join(folder, 'pf/etc'), 'start'], join(folder, 'pf/start'))
      for (const port of [mail.smtp, mail.submission]) await waitForBanner(port)
    },
  }

  const { exit, json, err } = await estate.json(['init', site, '--with', parts])
  if (exit !== 0) throw new Error(err)
  for (const name of readdirSync(site, { recursive: true, encoding: 'utf8' })) {
    const file = join(site, name)
    if (!statSync(file).isFile() || name.startsWith('schema/')) continue
    writeFileSync(file, replace(readFileSync(file, 'utf8')))
  }
  return Object.assign(made, { steps: json.steps })
}

/**
 * With -c what stands already is passed over, and the exit code says so: whether the rest came is seen later. A plan with
 * changes ends with 2.
 */
function mayEndOtherwise(command: string, status: number | null): boolean {
  return (command.startsWith('ldap') && command.includes(' -c ')) || (command.endsWith(' plan') && status === 2)
}

/** Debian's servers are users of their own, and read and write what theirs may. */
const as = '/usr/bin/setpriv'
const owner = (path: string, user: string) => must('/usr/bin/chown', ['-R', `${user}:${user}`, path])

function must(program: string, args: readonly string[], input = ''): void {
  const { status, stderr } = run(program, args, input)
  if (status !== 0) throw new Error(`${program}: ${stderr}`)
}

/** What Debian's packages bring, on which all of this rests. */
export const debian = [
  '/usr/share/slapd/slapd.init.ldif',
  '/usr/share/dovecot/dovecot.conf',
  '/etc/bind/named.conf.options',
  as,
]

/** Every step but the last, in its order, each on a server as Debian installs it. */
export async function follow(site: InitSite): Promise<void> {
  for (const part of new Set(site.steps.map(step => step.part).filter(part => part !== 'run'))) {
    await site.prepare(part)
    await site.follow(part)
  }
}

/** What a command printed, when it failed. */
export async function done(site: InitSite, args: readonly string[], input = ''): Promise<void> {
  const { exit, out, err } = await site.cli(args, { input })
  expect({ exit, said: exit === 0 ? '' : out + err }).toEqual({ exit: 0, said: '' })
}

/** What doctor says, by the code of each check. */
export async function seen(site: InitSite): Promise<Map<string, string[]>> {
  const { json } = await site.json(['doctor'])
  const found = new Map<string, string[]>()
  for (const { code, result, detail } of json.checks)
    found.set(code, [...(found.get(code) ?? []), `${result} ${detail}`])
  return found
}
