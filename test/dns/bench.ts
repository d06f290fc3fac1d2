/** What the DNS tests share: small resources, a provider over a file of its own, and a third party with its own connection. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../agent/core/clock.ts'
import { digestOf } from '../../agent/core/digest.ts'
import type { Change, Outcome } from '../../agent/model/change.ts'
import type { DomainName } from '../../agent/model/name.ts'
import { formatRef, type RecordType, type RRsetResource, refOf, type ZoneResource } from '../../agent/model/resource.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { type EmbeddedDns, openEmbeddedDns } from '../../providers/embedded-dns/dns.ts'

export const never = new AbortController().signal

/** A clock that stands; its sleepers wake when the test says so. */
export function createTestClock(): Clock & { wake(): Promise<void> } {
  let sleepers: (() => void)[] = []
  return {
    now: () => 0,
    sleep: (_ms, signal) =>
      new Promise(resolve => {
        sleepers.push(resolve)
        signal.addEventListener('abort', () => resolve())
      }),
    async wake() {
      const woken = sleepers
      sleepers = []
      for (const resume of woken) resume()
      // Whoever was woken goes to sleep again, or has something to tell, before the test looks.
      await new Promise(resolve => setImmediate(resolve))
    },
  }
}

export const testClock: Clock = createTestClock()

export function zone(apex: string): ZoneResource {
  return { provider: 'dns', kind: 'zone', key: apex, apex: apex as DomainName }
}

/** `owner` is relative to the apex, `@` the apex itself. */
export function rrset(
  apex: string,
  owner: string,
  type: RecordType,
  values: readonly string[],
  ttl = 300,
): RRsetResource {
  const name = owner === '@' ? apex : `${owner}.${apex}`
  return {
    provider: 'dns',
    kind: 'rrset',
    key: `${apex}/${name}/${type}`,
    zone: apex as DomainName,
    owner: name,
    type,
    ttl,
    values: [...values].sort(),
  }
}

export function soa(apex: string): RRsetResource {
  return rrset(apex, '@', 'SOA', [`ns1.operator.example hostmaster.operator.example 10800 3600 604800 3600`], 7200)
}

/** A mark as the planner gives, one for each object. */
export function markFor(resource: DnsResource): string {
  return `mw1:${digestOf(formatRef(refOf(resource))).slice(0, 32)}`
}

export function create(after: DnsResource): Change<DnsResource> {
  return { action: 'create', ref: refOf(after), before: null, after, why: 'manifest', source: null }
}

export function update(before: DnsResource, after: DnsResource): Change<DnsResource> {
  return { action: 'update', ref: refOf(after), before, after, why: 'manifest', source: null }
}

export function remove(before: DnsResource): Change<DnsResource> {
  return { action: 'delete', ref: refOf(before), before, after: null, why: 'removal', source: null }
}

export async function applyAll(dns: EmbeddedDns, changes: readonly Change<DnsResource>[]): Promise<Outcome[]> {
  const marked = changes.map(change => {
    const resource = change.after ?? change.before
    return { change, mark: resource === null ? '' : markFor(resource) }
  })
  const outcomes: Outcome[] = []
  for await (const outcome of dns.apply(marked, never)) outcomes.push(outcome)
  return outcomes
}

export function results(outcomes: readonly Outcome[]): string[] {
  return outcomes.map(({ result }) => result)
}

export type TemporaryDns = AsyncDisposable & { readonly dns: EmbeddedDns; readonly file: string }

export async function openTemporary(listen: string | null = null, clock = testClock): Promise<TemporaryDns> {
  const folder = mkdtempSync(join(tmpdir(), 'mailwarden-dns-'))
  const file = join(folder, 'dns.db')
  const discard = () => rmSync(folder, { recursive: true, force: true })
  const dns = await openEmbeddedDns({ file, listen, clock }).catch((error: unknown) => {
    discard()
    throw error
  })
  return {
    dns,
    file,
    async [Symbol.asyncDispose]() {
      await dns.close()
      discard()
    },
  }
}

/** Writes as someone else with a connection of their own: new rows without a mark, old ones keep theirs. */
export function writeBehind(file: string, resource: DnsResource, value: DnsResource | null): void {
  using database = new DatabaseSync(file, { timeout: 5000 })
  if (resource.kind === 'zone') {
    if (value === null) database.prepare('DELETE FROM zone WHERE apex = ?').run(resource.apex)
    else database.prepare('INSERT OR IGNORE INTO zone (apex, serial) VALUES (?, 1)').run(resource.apex)
    return
  }
  const { zone, owner, type } = resource
  if (value === null) {
    database.prepare('DELETE FROM rrset WHERE zone = ? AND owner = ? AND type = ?').run(zone, owner, type)
  } else if (value.kind === 'rrset') {
    database
      .prepare(
        `INSERT INTO rrset (zone, owner, type, ttl, "values") VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET ttl = excluded.ttl, "values" = excluded."values"`,
      )
      .run(zone, owner, type, value.ttl, JSON.stringify(value.values))
  }
}

export function serialOf(file: string, apex: string): number | undefined {
  using database = new DatabaseSync(file)
  const row = database.prepare('SELECT serial FROM zone WHERE apex = ?').get(apex)
  return row === undefined ? undefined : Number(row.serial)
}
