/** Resolves `spec.providers`: fields judged by kind, defaults filled in, paths made absolute, secrets left as references. Pure. */
import { resolve } from 'node:path'
import { parseAddress } from '../model/name.ts'
import type {
  DirectoryConfig,
  DnsConfig,
  ListsConfig,
  ListsOfTopics,
  MailHostConfig,
  NotifyConfig,
  ProvidersConfig,
  SecretPlace,
  ZoneMakingConfig,
} from '../model/providers.ts'
import { listTopics } from '../model/resource.ts'
import type { Sheet } from './file.ts'
import type { Findings } from './findings.ts'
import { providerFields } from './provider-fields.ts'
import type { ProvidersSpec, SecretReference } from './schema-providers.ts'
import { suggest } from './suggest.ts'
import type { Path } from './tree.ts'

export type Resolving = { readonly findings: Findings; readonly sheet: Sheet; readonly folder: string }

const root: Path = ['spec', 'providers']
const defaults = { dnsListen: '127.0.0.1:5353', postfixFolder: '/etc/postfix', mlmmjFolder: '/var/spool/mlmmj' }

export function resolveProviders(at: Resolving, spec: ProvidersSpec | undefined, stateFolder: string): ProvidersConfig {
  for (const place of ['directory', 'dns', 'lists', 'notify'] as const)
    if (spec?.[place] !== undefined) checkFields(at, [...root, place], place, spec[place].kind, spec[place])
  return {
    directory: resolveDirectory(at, spec?.directory, stateFolder),
    dns: resolveDns(at, spec?.dns, stateFolder),
    mail: (spec?.mail ?? []).map((host, index, hosts) => resolveMailHost(at, host, index, hosts)),
    lists: resolveLists(at, spec?.lists, stateFolder),
    notify: resolveNotify(at, spec?.notify, stateFolder),
  }
}

/** A field of another kind is not taken silently, and one that is needed is asked for. */
function checkFields(at: Resolving, path: Path, place: string, kind: string, given: object): void {
  const { needs, takes } = providerFields[place]?.[kind] ?? { needs: [], takes: [] }
  for (const key of needs)
    if (!(key in given)) at.findings.error('E-FIELD-MISSING', at.sheet, path, { key, field: fieldOf(path) })
  for (const key of Object.keys(given)) {
    if (key === 'kind' || key === 'making' || needs.includes(key) || takes.includes(key)) continue
    const values = { key, field: fieldOf(path), known: ['kind', ...needs, ...takes].join(', ') }
    const suggestion = suggest(key, [...needs, ...takes])
    at.findings.shape(at.sheet, {
      code: 'E-FIELD-UNKNOWN',
      path: [...path, key],
      onKey: true,
      values,
      ...(suggestion === undefined ? {} : { suggestion }),
    })
  }
}

const fieldOf = (path: Path) => path.join('.')

export function resolveSecret(at: Resolving, path: Path, reference: SecretReference | undefined): SecretPlace {
  const nowhere: SecretPlace = { from: 'env', name: '' }
  // That it is missing was said where the fields were checked.
  if (reference === undefined) return nowhere
  const { file, credential, env } = reference
  if ([file, credential, env].filter(Boolean).length !== 1) {
    at.findings.error('E-SECRET-PLACE', at.sheet, path, { field: fieldOf(path) })
    return nowhere
  }
  if (file !== undefined) return { from: 'file', path: resolve(at.folder, file) }
  return credential === undefined ? { from: 'env', name: env ?? '' } : { from: 'credential', name: credential }
}

function resolveUrl(at: Resolving, path: Path, text: string | undefined, schemes: readonly string[]): string {
  if (text === undefined) return ''
  const url = URL.canParse(text) ? new URL(text) : undefined
  const fit = url !== undefined && schemes.includes(url.protocol.slice(0, -1)) && url.username + url.password === ''
  if (!fit)
    at.findings.error('E-URL', at.sheet, path, {
      // What stands before the @ may be a password.
      found: text.replace(/\/\/[^/]*@/, '//…@'),
      schemes: schemes.join(', '),
    })
  return text.replace(/\/+$/, '')
}

export function resolveServer(at: Resolving, path: Path, text: string | undefined): { host: string; port: number } {
  if (text === undefined) return { host: '', port: 0 }
  const [, host = '', port] = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9.-]+):(\d{1,5})$/.exec(text) ?? []
  if (host === '' || Number(port) > 65535 || Number(port) === 0)
    at.findings.error('E-LISTEN', at.sheet, path, { found: text })
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

export const optionalFile = (at: Resolving, file: string | undefined): string | null =>
  file === undefined ? null : resolve(at.folder, file)

export function isThisHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

function resolveDirectory(at: Resolving, spec: ProvidersSpec['directory'], stateFolder: string): DirectoryConfig {
  const path = [...root, 'directory']
  if (spec?.kind !== 'ldap')
    return { kind: 'embedded', file: resolve(at.folder, spec?.file ?? `${stateFolder}/directory.db`) }
  const url = resolveUrl(at, [...path, 'url'], spec.url, ['ldap', 'ldaps'])
  const plainAbroad = url.startsWith('ldap:') && !isThisHost(URL.canParse(url) ? new URL(url).hostname : '')
  return {
    kind: 'ldap',
    url,
    base: spec.base ?? '',
    bindDn: spec.bindDn ?? '',
    password: resolveSecret(at, [...path, 'password'], spec.password),
    startTls: spec.startTls ?? plainAbroad,
    caFile: optionalFile(at, spec.ca),
    profile: spec.profile ?? 'own',
  }
}

function resolveDns(at: Resolving, spec: ProvidersSpec['dns'], stateFolder: string): DnsConfig {
  const path = [...root, 'dns']
  switch (spec?.kind) {
    case 'powerdns':
      return {
        kind: 'powerdns',
        url: resolveUrl(at, [...path, 'url'], spec.url, ['http', 'https']),
        apiKey: resolveSecret(at, [...path, 'apiKey'], spec.apiKey),
        serverId: spec.serverId ?? 'localhost',
        zoneKind: spec.zoneKind ?? 'Native',
      }
    case 'rfc2136': {
      const secret = resolveSecret(at, [...path, 'key', 'secret'], spec.key?.secret)
      const key = { name: spec.key?.name ?? '', algorithm: spec.key?.algorithm ?? 'hmac-sha256', secret } as const
      return {
        kind: 'rfc2136',
        ...resolveServer(at, [...path, 'server'], spec.server),
        key,
        zones: resolveZones(at, spec.zones),
      }
    }
    default: {
      const listen = spec?.listen ?? defaults.dnsListen
      if (!/^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9.-]+):\d{1,5}$/.test(listen) || Number(listen.split(':').at(-1)) > 65535)
        at.findings.error('E-LISTEN', at.sheet, [...path, 'listen'], { found: listen })
      return { kind: 'embedded', file: resolve(at.folder, spec?.file ?? `${stateFolder}/dns.db`), listen }
    }
  }
}

function resolveZones(at: Resolving, spec: NonNullable<ProvidersSpec['dns']>['zones']): ZoneMakingConfig {
  if (spec === undefined || spec.making === 'none') return { kind: 'none' }
  checkFields(at, [...root, 'dns', 'zones'], 'dns.zones', spec.making, spec)
  const folder = resolve(at.folder, spec.folder ?? '')
  if (spec.making === 'knot') return { kind: 'knot', folder, command: spec.command ?? ['/usr/sbin/knotc'] }
  return {
    kind: 'bind',
    folder,
    include: resolve(at.folder, spec.include ?? ''),
    command: spec.command ?? ['/usr/sbin/rndc'],
  }
}

type MailHostSpec = NonNullable<ProvidersSpec['mail']>[number]

function resolveMailHost(
  at: Resolving,
  spec: MailHostSpec,
  index: number,
  all: readonly MailHostSpec[],
): MailHostConfig {
  const path = [...root, 'mail', index]
  checkFields(at, path, 'mail', spec.kind, spec)
  if (all.findIndex(({ name }) => name === spec.name) !== index)
    at.findings.error('E-DUPLICATE-NAME', at.sheet, [...path, 'name'], { kind: 'mail', name: spec.name })
  if (spec.kind === 'postfix')
    return {
      kind: 'postfix',
      name: spec.name,
      configFolder: resolve(at.folder, spec.configFolder ?? defaults.postfixFolder),
    }
  if (spec.url !== undefined && spec.apiKey === undefined)
    at.findings.error('E-FIELD-MISSING', at.sheet, path, { key: 'apiKey', field: fieldOf(path) })
  const url = resolveUrl(at, [...path, 'url'], spec.url, ['http', 'https'])
  const key = resolveSecret(at, [...path, 'apiKey'], spec.apiKey)
  return {
    kind: 'dovecot',
    name: spec.name,
    api: spec.url === undefined ? null : { url, key, caFile: optionalFile(at, spec.ca) },
    command: spec.command ?? ['/usr/bin/doveadm'],
    denyFile: optionalFile(at, spec.denyFile),
  }
}

function resolveLists(at: Resolving, spec: ProvidersSpec['lists'], stateFolder: string): ListsConfig {
  const path = [...root, 'lists']
  switch (spec?.kind) {
    case 'mlmmj':
      return {
        kind: 'mlmmj',
        folder: resolve(at.folder, spec.folder ?? defaults.mlmmjFolder),
        topics: resolveTopics(at, [...path, 'topics'], spec.topics),
      }
    case 'mailman': {
      const url = resolveUrl(at, [...path, 'url'], spec.url, ['http', 'https'])
      const host = URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : ''
      // The password goes with every request.
      if (url.startsWith('http:') && !isThisHost(host))
        at.findings.error('E-TLS-NEEDED', at.sheet, [...path, 'url'], { host })
      return {
        kind: 'mailman',
        url,
        user: spec.user ?? 'restadmin',
        password: resolveSecret(at, [...path, 'password'], spec.password),
        caFile: optionalFile(at, spec.ca),
        marksFolder: resolve(at.folder, spec.marks ?? `${stateFolder}/lists`),
        topics: resolveTopics(at, [...path, 'topics'], spec.topics),
      }
    }
    default:
      return { kind: 'none' }
  }
}

function resolveTopics(
  at: Resolving,
  path: Path,
  spec: NonNullable<ProvidersSpec['lists']>['topics'] = {},
): ListsOfTopics {
  const topics: { -readonly [topic in keyof ListsOfTopics]: ListsOfTopics[topic] } = {}
  for (const topic of listTopics) {
    const text = spec[topic]
    const address = text === undefined ? undefined : parseAddress(text)
    if (address !== undefined) topics[topic] = address
    else if (text !== undefined) at.findings.error('E-ADDRESS', at.sheet, [...path, topic], { found: text })
  }
  return topics
}

function resolveNotify(at: Resolving, spec: ProvidersSpec['notify'], stateFolder: string): NotifyConfig {
  const folder = resolve(at.folder, spec?.folder ?? `${stateFolder}/outbox`)
  if (spec?.kind !== 'smtp') return { kind: 'spool', folder }
  const path = [...root, 'notify']
  const { host, port } = resolveServer(at, [...path, 'server'], spec.server)
  const tls = spec.tls ?? 'starttls'
  // A password or a notice over a plain line to another machine is read by whoever listens.
  if (tls === 'none' && !isThisHost(host)) at.findings.error('E-TLS-NEEDED', at.sheet, [...path, 'tls'], { host })
  if ((spec.user === undefined) !== (spec.password === undefined))
    at.findings.error('E-FIELD-MISSING', at.sheet, path, {
      key: spec.user === undefined ? 'user' : 'password',
      field: fieldOf(path),
    })
  const login =
    spec.user === undefined || spec.password === undefined
      ? null
      : { user: spec.user, password: resolveSecret(at, [...path, 'password'], spec.password) }
  return { kind: 'smtp', folder, host, port, tls, caFile: optionalFile(at, spec.ca), login }
}
