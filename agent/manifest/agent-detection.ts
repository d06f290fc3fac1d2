/** Resolves `spec.detection`: defaults filled in, paths made absolute, the password left as a reference. Pure. */
import { resolve } from 'node:path'
import type { BlocklistsConfig, DetectionConfig, LoginsConfig, ReportsConfig } from '../model/detection.ts'
import { parseIp } from '../model/ip.ts'
import { type DomainName, parseDomainName } from '../model/name.ts'
import { isThisHost, optionalFile, type Resolving, resolveSecret, resolveServer } from './agent-providers.ts'
import { parseNetwork } from './network.ts'
import type { DetectionSpec } from './schema-detection.ts'
import type { Path } from './tree.ts'

/** Nobody's mail stops by itself until somebody has seen what would have stopped. */
const defaults = { restrict: 'observe', holds: 10, domainsPercent: 10 } as const

export function resolveDetection(at: Resolving, spec: DetectionSpec | undefined): DetectionConfig {
  return {
    restrict: spec?.restrict ?? defaults.restrict,
    storm: {
      holds: spec?.storm?.holds ?? defaults.holds,
      domainsPercent: spec?.storm?.domainsPercent ?? defaults.domainsPercent,
    },
    reports: spec?.reports === undefined ? null : resolveReports(at, spec.reports),
    logins: resolveLogins(at, spec?.logins),
    blocklists: spec?.blocklists === undefined ? null : resolveBlocklists(at, spec.blocklists),
  }
}

function resolveReports(
  at: Resolving,
  { mailbox, authservId, reporters }: NonNullable<DetectionSpec['reports']>,
): ReportsConfig {
  const path = ['spec', 'detection', 'reports']
  const { host, port } = resolveServer(at, [...path, 'mailbox', 'server'], mailbox.server)
  const tls = mailbox.tls ?? 'tls'
  if (tls === 'none' && !isThisHost(host))
    at.findings.error('E-TLS-NEEDED', at.sheet, [...path, 'mailbox', 'tls'], { host })
  return {
    mailbox: {
      host,
      port,
      tls,
      caFile: optionalFile(at, mailbox.ca),
      serverName: mailbox.serverName ?? host,
      user: mailbox.user,
      password: resolveSecret(at, [...path, 'mailbox', 'password'], mailbox.password),
      folder: mailbox.folder ?? 'INBOX',
    },
    authservId: authservId.toLowerCase(),
    // One label would trust everybody below it.
    reporters: reporters.flatMap((text, index) => resolveName(at, [...path, 'reporters', index], text)),
  }
}

function resolveName(at: Resolving, path: Path, text: string): DomainName[] {
  const name = parseDomainName(text)
  if (name?.includes('.')) return [name]
  at.findings.error('E-NAME', at.sheet, path, { found: text, reason: 'name.host' })
  return []
}

function resolveBlocklists(
  at: Resolving,
  { resolver, lists, relays }: NonNullable<DetectionSpec['blocklists']>,
): BlocklistsConfig {
  const path = ['spec', 'detection', 'blocklists']
  return {
    resolver: resolveServer(at, [...path, 'resolver'], resolver),
    lists: lists.flatMap(({ zone, of }, index) =>
      resolveName(at, [...path, 'lists', index, 'zone'], zone).map(name => ({ zone: name, of })),
    ),
    relays: (relays ?? []).filter((text, index) => {
      const isAddress = parseIp(text) !== undefined
      const values = { found: text, reason: 'network.form' }
      if (!isAddress) at.findings.error('E-NETWORK', at.sheet, [...path, 'relays', index], values)
      return isAddress
    }),
  }
}

function resolveLogins(at: Resolving, spec: DetectionSpec['logins']): LoginsConfig {
  return {
    logs: (spec?.logs ?? []).map(file => resolve(at.folder, file)),
    proxies: (spec?.proxies ?? []).flatMap((text, index) => {
      const parsed = parseNetwork(text)
      if ('network' in parsed) return [parsed.network]
      const path = ['spec', 'detection', 'logins', 'proxies', index]
      const values = { found: text, reason: `network.${parsed.problem}` }
      at.findings.error('E-NETWORK', at.sheet, path, values, { suggestion: parsed.suggestion })
      return []
    }),
  }
}
