/**
 * Which records a manifest can hold as `dns.extra`: asked of the manifests' own checks, so that what is written is what
 * `validate` accepts, whatever its rules become. Pure.
 */
import { checkEstate } from '../manifest/check.ts'
import type { DomainName } from '../model/name.ts'
import type { RRsetResource } from '../model/resource.ts'
import type { LeftReason } from './estate.ts'
import { formatYaml, type YamlValue } from './yaml.ts'

export type Refusal = {
  readonly record: RRsetResource
  readonly values: readonly string[]
  readonly reason: LeftReason
}

const recordsMax = 1_000 // of one list; a list of YAML has 2,000 items at most, and the file other parts
const valuesMax = 1_000 // of one record, for the same reason
const bytesMax = 160 * 1024 // a file of manifests that is read has 256 KiB at most

/** The owner as manifests write it. */
export function relativeOwner(owner: string, zone: DomainName): string {
  return owner === zone ? '@' : owner.slice(0, -zone.length - 1)
}

export function extraOf(record: RRsetResource, zone: DomainName, ttl: number): YamlValue {
  const { owner, type, values } = record
  const own = record.ttl === ttl ? {} : { ttl: record.ttl }
  return { name: relativeOwner(owner, zone), type, values, ...own }
}

export function judgeRecords(
  zone: DomainName,
  records: readonly RRsetResource[],
): { readonly kept: readonly RRsetResource[]; readonly refused: readonly Refusal[] } {
  const kept: RRsetResource[] = []
  const refused: Refusal[] = []
  const { admitted, beyond } = withinSize(zone, records)
  for (const record of beyond) refused.push({ record, values: record.values, reason: 'many' })
  const found = Map.groupBy(findingsOf(zone, admitted), ({ record }) => record)
  for (const [index, record] of admitted.entries()) {
    const own = found.get(index) ?? []
    const whole = own.find(({ value }) => value === undefined)
    const wrong = new Set(own.map(({ value }) => value))
    const values = whole === undefined ? record.values.filter((_, at) => !wrong.has(at)) : []
    const gone = record.values.filter(value => !values.includes(value))
    if (values.length > 0) kept.push({ ...record, values })
    if (gone.length > 0) refused.push({ record, values: gone, reason: reasonOf(record, whole?.code) })
  }
  return { kept, refused }
}

/** As many as one file holds, in their order. */
function withinSize(zone: DomainName, records: readonly RRsetResource[]) {
  const admitted: RRsetResource[] = []
  const beyond: RRsetResource[] = []
  let bytes = 0
  for (const record of records) {
    const size = Buffer.byteLength(JSON.stringify(extraOf(record, zone, -1))) * 2
    const fits = bytes + size <= bytesMax && admitted.length < recordsMax && record.values.length <= valuesMax
    if (fits) bytes += size
    ;(fits ? admitted : beyond).push(record)
  }
  return { admitted, beyond }
}

function reasonOf({ owner }: RRsetResource, code: string | undefined): LeftReason {
  if (owner.includes('._domainkey.')) return 'signature'
  if (code === 'E-RECORD-DERIVED') return 'derived'
  return code === 'E-RECORD-NAME' ? 'name' : 'value'
}

type Found = { readonly record: number; readonly value: number | undefined; readonly code: string }

function findingsOf(zone: DomainName, records: readonly RRsetResource[]): Found[] {
  const text = formatYaml({
    apiVersion: 'mailwarden/v1',
    kind: 'MailDomain',
    metadata: { name: zone },
    spec: {
      institution: 'trial',
      delivery: 'mailboxes',
      administrator: { login: 'postmaster' },
      limits: { accounts: 0, storage: '0B' },
      dns: { extra: records.map(record => extraOf(record, zone, -1)) },
    },
  })
  const context = { today: '2000-01-01', timeZone: 'UTC', attachment: () => undefined, hasDocument: () => true }
  const found = checkEstate([{ path: 'trial.yaml', text }], context).diagnostics.flatMap(diagnostic => {
    const at = /^\/spec\/dns\/extra\/(\d+)(?:\/values\/(\d+))?/.exec(diagnostic.pointer ?? '')
    if (at === null || diagnostic.severity !== 'error') return []
    return [{ record: Number(at[1]), value: at[2] === undefined ? undefined : Number(at[2]), code: diagnostic.code }]
  })
  if (found.length > 0 && records.length > 0) {
    // A mistake of shape keeps the finer checks from running: what is left is judged again.
    const shaped = found.filter(({ code }) => code.startsWith('E-FIELD'))
    if (shaped.length > 0) {
      const rest = records.map((record, index) => ({
        index,
        kept: record.values
          .map((_, at) => at)
          .filter(at => !shaped.some(one => one.record === index && one.value === at)),
        whole: shaped.some(one => one.record === index && one.value === undefined),
      }))
      const again = rest.filter(({ kept, whole }) => !whole && kept.length > 0)
      const inner = findingsOf(
        zone,
        again.map(({ index, kept }) => {
          const record = records[index] as RRsetResource
          return { ...record, values: kept.map(at => record.values[at] as string) }
        }),
      )
      return [
        ...shaped,
        ...inner.map(({ record, value, code }) => {
          const of = again[record]
          return { record: of?.index ?? 0, value: value === undefined ? undefined : of?.kept[value], code }
        }),
      ]
    }
  }
  return found
}
