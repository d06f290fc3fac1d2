/** Resolves `spec.verify`: defaults filled in, paths made absolute, the password left as a reference. Pure. */
import type { DnsConfig } from '../model/providers.ts'
import type { LoginDoor, VerifyConfig } from '../model/verify.ts'
import { isThisHost, optionalFile, type Resolving, resolveSecret, resolveServer } from './agent-providers.ts'
import type { VerifySpec } from './schema-verify.ts'
import type { Path } from './tree.ts'

const root: Path = ['spec', 'verify']
const defaults = { sample: 3, patienceSeconds: 5, separator: '*' }

export function resolveVerify(at: Resolving, spec: VerifySpec | undefined, dns: DnsConfig): VerifyConfig {
  const doors = (spec?.doors ?? []).map((door, index) => resolveDoor(at, [...root, 'doors', index], door))
  for (const [index, { name }] of doors.entries())
    if (doors.findIndex(door => door.name === name) !== index)
      at.findings.error('E-DUPLICATE-NAME', at.sheet, [...root, 'doors', index], { kind: 'doors', name })
  const { master } = spec ?? {}
  // A door without somebody to try it, and somebody without a door, would look like a check that is none.
  if (doors.length > 0 !== (master !== undefined))
    at.findings.error('E-FIELD-MISSING', at.sheet, root, {
      key: master === undefined ? 'master' : 'doors',
      field: root.join('.'),
    })
  if (spec?.delivery === true)
    for (const protocol of ['submission', 'imap'] as const)
      if (!doors.some(door => door.protocol === protocol))
        at.findings.error('E-FIELD-MISSING', at.sheet, root, { key: `doors: ${protocol}`, field: root.join('.') })
  return {
    nameServers: resolveNameServers(at, spec, dns),
    nameServersFrom: spec?.nameServers === undefined ? 'embedded' : 'configuration',
    doors,
    master:
      master === undefined
        ? null
        : {
            user: master.user,
            separator: master.separator ?? defaults.separator,
            password: resolveSecret(at, [...root, 'master', 'password'], master.password),
          },
    sample: spec?.sample ?? defaults.sample,
    delivery: spec?.delivery ?? false,
    patienceMs: (spec?.patience ?? defaults.patienceSeconds) * 1000,
  }
}

type DoorSpec = NonNullable<VerifySpec['doors']>[number]

function resolveDoor(
  at: Resolving,
  path: Path,
  { protocol, server, tls = 'tls', ca, serverName }: DoorSpec,
): LoginDoor {
  const { host, port } = resolveServer(at, [...path, 'server'], server)
  // The master user's password opens every mailbox.
  if (tls === 'none' && !isThisHost(host)) at.findings.error('E-TLS-NEEDED', at.sheet, [...path, 'tls'], { host })
  return {
    name: `${protocol} ${server}`,
    protocol,
    host,
    port,
    tls,
    caFile: optionalFile(at, ca),
    serverName: serverName ?? host,
  }
}

/** The one that we are ourselves needs no word; of others only the operator knows where they stand. */
function resolveNameServers(
  at: Resolving,
  spec: VerifySpec | undefined,
  dns: DnsConfig,
): readonly { host: string; port: number }[] {
  if (spec?.nameServers !== undefined)
    return spec.nameServers.map((text, index) => resolveServer(at, [...root, 'nameServers', index], text))
  if (dns.kind !== 'embedded') return []
  const own = /^(.*):([1-9]\d*)$/.exec(dns.listen)
  return own === null ? [] : [{ host: (own[1] ?? '').replace(/^\[|\]$/g, ''), port: Number(own[2]) }]
}
