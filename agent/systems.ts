/**
 * Opens the systems that the configuration names. Part of the composition root: only `main.ts` imports it, and only the
 * two of them name concrete providers.
 */
import { existsSync } from 'node:fs'
import { describeEmbeddedDirectory, openEmbeddedDirectory } from '../providers/embedded-directory/directory.ts'
import { openEmbeddedDns } from '../providers/embedded-dns/dns.ts'
import {
  type CredentialStore,
  type MailHost,
  type Notifier,
  type Provider,
  ProviderFailure,
} from '../providers/provider.ts'
import { openSpool } from '../providers/spool/spool.ts'
import { openWhenNeeded } from '../providers/when-needed.ts'
import type { HeldMailStore } from './control/held-mail.ts'
import type { Clock } from './core/clock.ts'
import type { DirectoryConfig, DnsConfig, MailHostConfig, NotifyConfig, ProvidersConfig } from './model/providers.ts'
import type { ProviderName } from './model/resource.ts'

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
  return {
    providers: new Map<ProviderName, Provider>([
      ['directory', directory as unknown as Provider],
      ['dns', dns as unknown as Provider],
    ]),
    credentials: directory,
    async [Symbol.asyncDispose]() {
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
        return openWhenNeeded(describeEmbeddedDirectory(file), open)
      })
    }
    case 'ldap':
      throw new ProviderFailure('unsupported', 'ldap is not built yet', { retry: 'never' })
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
    case 'rfc2136':
      throw new ProviderFailure('unsupported', `${config.kind} is not built yet`, { retry: 'never' })
  }
}

export async function openNotifier(config: NotifyConfig): Promise<Notifier> {
  switch (config.kind) {
    case 'spool':
      return openSpool({ folder: config.folder })
    case 'smtp':
      throw new ProviderFailure('unsupported', 'smtp is not built yet', { retry: 'never' })
  }
}

export function openMailHosts(
  configs: readonly MailHostConfig[],
  _clock: Clock,
  _heldBy: (host: string) => HeldMailStore,
): MailHost[] {
  const [first] = configs
  if (first !== undefined)
    throw new ProviderFailure('unsupported', `${first.kind} is not built yet`, { retry: 'never' })
  return []
}
