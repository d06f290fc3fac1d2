/**
 * Opens the systems that the configuration names. Part of the composition root: only `main.ts` imports it, and only the
 * two of them name concrete providers.
 */
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { openDenyFile } from '../providers/dovecot/deny-file.ts'
import { openDovecot } from '../providers/dovecot/host.ts'
import { describeEmbeddedDirectory, openEmbeddedDirectory } from '../providers/embedded-directory/directory.ts'
import { openEmbeddedDns } from '../providers/embedded-dns/dns.ts'
import { describeLdapDirectory, openLdapDirectory } from '../providers/ldap/directory.ts'
import { describeMailman, openMailman } from '../providers/mailman/mailman.ts'
import { openMlmmj } from '../providers/mlmmj/mlmmj.ts'
import { openPostfix } from '../providers/postfix/host.ts'
import { describePowerDns, openPowerDns } from '../providers/powerdns/powerdns.ts'
import {
  type CredentialStore,
  type MailHost,
  type Notifier,
  type Provider,
  ProviderFailure,
} from '../providers/provider.ts'
import { describeRfc2136, openRfc2136 } from '../providers/rfc2136/rfc2136.ts'
import { openSmtp } from '../providers/smtp/smtp.ts'
import { openSpool } from '../providers/spool/spool.ts'
import { openDirectoryWhenNeeded, openWhenNeeded } from '../providers/when-needed.ts'
import type { HeldMailStore } from './control/held-mail.ts'
import type { Clock } from './core/clock.ts'
import type {
  DirectoryConfig,
  DnsConfig,
  ListsConfig,
  MailHostConfig,
  NotifyConfig,
  ProvidersConfig,
  ZoneMakingConfig,
} from './model/providers.ts'
import type { ListMember, ProviderName } from './model/resource.ts'
import { readAuthority, readSecret } from './secrets.ts'

/** `read`: nothing is made, not even an empty file, and nobody listens. `serve`: the embedded name server answers too. */
export type OpenMode = 'read' | 'write' | 'serve'

export type Systems = AsyncDisposable & {
  readonly providers: ReadonlyMap<ProviderName, Provider>
  readonly credentials: CredentialStore
}

/** What plans are for, by configuration alone: part of their digest. */
export function targetOf({ directory, dns }: ProvidersConfig): string {
  const where = directory.kind === 'embedded' ? directory.file : `${directory.url} ${directory.base}`
  return `directory:${directory.kind}:${where} dns:${dns.kind}:${dnsTargetOf(dns)}`
}

function dnsTargetOf(dns: DnsConfig): string {
  switch (dns.kind) {
    case 'embedded':
      return dns.file
    case 'powerdns':
      return `${dns.url} ${dns.serverId}`
    case 'rfc2136':
      return `${dns.host}:${dns.port}`
  }
}

/** A provider's file, or none at all where a command must not even make an empty one. */
function fileFor(file: string, mode: OpenMode): string {
  return mode !== 'read' || existsSync(file) ? file : ':memory:'
}

export async function openSystems(config: ProvidersConfig, mode: OpenMode, clock: Clock): Promise<Systems> {
  const directory = await openDirectory(config.directory, mode, clock)
  const dns = await openDns(config.dns, mode, clock)
  const lists = openLists(config.lists)
  return {
    providers: new Map<ProviderName, Provider>([
      ['directory', directory as unknown as Provider],
      ['dns', dns as unknown as Provider],
      ...(lists === null ? [] : [['lists', lists as unknown as Provider] as const]),
    ]),
    credentials: directory,
    async [Symbol.asyncDispose]() {
      await lists?.[Symbol.asyncDispose]()
      await dns[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}

async function openDirectory(config: DirectoryConfig, mode: OpenMode, clock: Clock) {
  switch (config.kind) {
    case 'embedded': {
      const file = fileFor(config.file, mode)
      const open = () => openEmbeddedDirectory({ file, clock })
      // A directory that can't be opened must not keep a suspension from being recorded.
      return open().catch((error: unknown) => {
        if (!(error instanceof ProviderFailure)) throw error
        return openDirectoryWhenNeeded(describeEmbeddedDirectory(file), open)
      })
    }
    case 'ldap': {
      const { url, base, bindDn, startTls, caFile, password, profile } = config
      // The password is read when the server is first asked, and again after a failure: a new one needs no restart.
      return openDirectoryWhenNeeded(describeLdapDirectory({ url, base, profile }), async () =>
        openLdapDirectory({
          url,
          base,
          bindDn,
          profile,
          password: readSecret(password),
          clock,
          ...(url.startsWith('ldap:') ? { encryption: startTls ? ('starttls' as const) : ('none' as const) } : {}),
          ...(caFile === null ? {} : { caFile }),
        }),
      )
    }
  }
}

async function openDns(config: DnsConfig, mode: OpenMode, clock: Clock) {
  switch (config.kind) {
    case 'embedded':
      return openEmbeddedDns({
        file: fileFor(config.file, mode),
        listen: mode === 'serve' ? config.listen : null,
        clock,
      })
    case 'powerdns':
      return openWhenNeeded(describePowerDns(config), async () =>
        openPowerDns({
          url: config.url,
          key: readSecret(config.apiKey),
          serverId: config.serverId,
          kind: config.zoneKind,
          clock,
        }),
      )
    case 'rfc2136':
      return openWhenNeeded(describeRfc2136(serverOf(config)), async () =>
        openRfc2136({
          server: serverOf(config),
          key: { ...config.key, secret: readSecret(config.key.secret) },
          ...zoneMakingOf(config.zones),
          clock,
        }),
      )
  }
}

/** Null where nobody is subscribed to anything. */
function openLists(config: ListsConfig): Provider<ListMember> | null {
  if (config.kind === 'none') return null
  const lists = Object.values(config.topics).flatMap(list => list ?? [])
  if (config.kind === 'mlmmj') return openMlmmj({ folder: config.folder, lists })
  const { url, user, password, caFile, marksFolder } = config
  return openWhenNeeded(describeMailman({ url, lists }), async () =>
    openMailman({ url, user, password: readSecret(password), caFile, marksFolder, lists }),
  )
}

function serverOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function zoneMakingOf(zones: ZoneMakingConfig) {
  const command = ([program = '', ...args]: readonly string[]) => [program, ...args] as const
  switch (zones.kind) {
    case 'none':
      return {}
    case 'bind':
      return {
        zoneMaking: { kind: 'bind', folder: zones.folder, include: zones.include, rndc: command(zones.command) },
      } as const
    case 'knot':
      return { zoneMaking: { kind: 'knot', folder: zones.folder, knotc: command(zones.command) } } as const
  }
}

export async function openNotifier(config: NotifyConfig, clock: Clock): Promise<Notifier> {
  switch (config.kind) {
    case 'spool':
      return openSpool({ folder: config.folder })
    case 'smtp': {
      const { host, port, tls, caFile, login } = config
      const letters = await openSpool({ folder: config.folder })
      const journalFolder = join(config.folder, 'sent')
      const open = () =>
        openSmtp({
          host,
          port,
          tls,
          caFile,
          login: login === null ? null : { user: login.user, password: readSecret(login.password) },
          ehloName: hostname(),
          journalFolder,
          letters,
          clock,
        })
      let opened: Notifier | undefined
      return {
        // Opened with the first notice: a password that is gone delays notices, and nothing else.
        async send(notice) {
          opened ??= open()
          await opened.send(notice)
        },
      }
    }
  }
}

export function openMailHosts(
  configs: readonly MailHostConfig[],
  clock: Clock,
  heldBy: (host: string) => HeldMailStore,
): MailHost[] {
  return configs.map(config => {
    try {
      return config.kind === 'postfix' ? openQueue(config) : openSessions(config)
    } catch (error) {
      // A key that is gone keeps one host from being asked, never a suspension from being recorded.
      if (error instanceof ProviderFailure) return lockedOut(config, error)
      throw error
    }
  })

  function openQueue({ name, configFolder }: MailHostConfig & { kind: 'postfix' }): MailHost {
    const at = (program: string) => [program, '-c', configFolder]
    const commands = {
      postqueue: at('/usr/sbin/postqueue'),
      postsuper: at('/usr/sbin/postsuper'),
      postconf: at('/usr/sbin/postconf'),
      postkick: at('/usr/sbin/postkick'),
      postcat: at('/usr/sbin/postcat'),
    }
    return openPostfix({ name, clock, commands, held: heldBy(name) })
  }

  function openSessions({ name, api, command, denyFile }: MailHostConfig & { kind: 'dovecot' }): MailHost {
    const doveadm =
      api === null ? { argv: command } : { url: api.url, apiKey: readSecret(api.key), ca: readAuthority(api.caFile) }
    const host = openDovecot({ name, doveadm, clock })
    return denyFile === null ? host : { ...host, logins: openDenyFile({ file: denyFile, clock }) }
  }
}

/** Stands in for a host that can't be asked: its doors are reported as open until somebody mends the configuration. */
function lockedOut({ name, kind }: MailHostConfig, cause: ProviderFailure): MailHost {
  const refuse = () => Promise.reject(cause)
  return {
    name,
    target: kind,
    doors: kind === 'postfix' ? ['queue'] : ['sessions', 'caches'],
    observe: refuse,
    close: refuse,
    open: refuse,
    async [Symbol.asyncDispose]() {},
  }
}
