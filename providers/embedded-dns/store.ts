/**
 * Zones and RRsets in one SQLite file, and the one way to change them: a transaction for each zone and batch, in which
 * each change is held against what stands. It never writes over what someone else made or edited.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { hit } from '../../agent/core/failpoint.ts'
import type { Outcome } from '../../agent/model/change.ts'
import { bareName, type DnsResource } from '../../agent/standards/dns-resource.ts'
import { conflict, type Judgement, judge, write } from '../judge.ts'
import type { MarkedChange, Observed, Scope } from '../provider.ts'
import { type RRsetRow, type StoredZone, toRRset, toZone, type ZoneRow } from './rows.ts'
import { openDatabase } from './schema.ts'
import { inOrder, nextSerial } from './serial.ts'

export class ZoneStore {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(file: string) {
    this.#database = openDatabase(file)
  }

  /** A number that changes when another connection has written. */
  dataVersion(): number {
    return Number(this.#statement('PRAGMA data_version').get()?.data_version)
  }

  /** Zones changed after a revision, in the order of their changes; `exists` is false for deleted ones. */
  changedSince(revision: number): { apex: string; number: number; exists: boolean }[] {
    const rows = this.#statement(
      `SELECT revision.zone AS apex, number, zone.apex IS NOT NULL AS found
       FROM revision LEFT JOIN zone ON zone.apex = revision.zone WHERE number > ? ORDER BY number`,
    ).all(revision)
    return rows.map(row => ({
      apex: bareName(String(row.apex)),
      number: Number(row.number),
      exists: row.found === 1,
    }))
  }

  /** Serial and RRsets as of one instant. */
  readZone(apex: string): StoredZone | undefined {
    return this.#atOnce(() => {
      const zone = this.#zoneRow(apex)
      if (zone === undefined) return undefined
      const rows = this.#statement('SELECT * FROM rrset WHERE zone = ?').all(apex) as unknown as RRsetRow[]
      return { serial: zone.serial, rrsets: rows.map(toRRset) }
    })
  }

  /** Everything within the scope, as of one instant, whoever made it. */
  observe(scope: Scope): Observed<DnsResource>[] {
    const where = (column: string) => (scope === 'all' ? '' : `WHERE ${column} IN (SELECT value FROM json_each(?))`)
    const bound = scope === 'all' ? [] : [JSON.stringify(scope.domains.map(bareName))]
    return this.#atOnce(() => {
      const zones = this.#statement(`SELECT * FROM zone ${where('apex')} ORDER BY apex`).all(
        ...bound,
      ) as unknown as ZoneRow[]
      const rrsets = this.#statement(`SELECT * FROM rrset ${where('zone')} ORDER BY zone, owner, type`).all(
        ...bound,
      ) as unknown as RRsetRow[]
      return [
        ...zones.map(row => ({ resource: toZone(row), mark: row.mark })),
        ...rrsets.map(row => ({ resource: toRRset(row), mark: row.mark })),
      ]
    })
  }

  /** All changes of one zone in one transaction. A change that meets a conflict is left out; the others are written. */
  applyZone(apex: string, changes: readonly MarkedChange<DnsResource>[]): Outcome[] {
    const all = (result: Outcome['result'], detail: string) =>
      changes.map(({ change: { ref } }) => ({ ref, result, detail }))
    let committing = false
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      const outcomes = this.#applyInside(apex, inOrder(changes))
      hit('dns.insideTransaction')
      committing = true
      this.#database.exec('COMMIT')
      hit('dns.afterCommit')
      return outcomes
    } catch (error) {
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec('ROLLBACK')
      const detail = error instanceof Error ? error.message : String(error)
      // A commit that failed may have reached the disk: whoever asks must read again.
      return all(committing ? 'unknown' : 'failed', `the DNS file could not be written: ${detail}`)
    }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }

  #applyInside(apex: string, changes: readonly MarkedChange<DnsResource>[]): Outcome[] {
    const existed = this.#zoneRow(apex) !== undefined
    let written = false
    const outcomes = changes.map((marked): Outcome => {
      const { ref } = marked.change
      const judgement = this.#judgeInside(apex, marked)
      if (judgement.verdict === 'conflict') return { ref, result: 'conflict', detail: judgement.detail }
      if (judgement.verdict === 'write') {
        this.#write(apex, marked)
        // An adopted object is served as it was.
        written ||= marked.adopt !== true
      }
      return { ref, result: 'applied' }
    })
    // A new zone begins at its first serial; any other change raises it once, however many RRsets it touches.
    const zone = this.#zoneRow(apex)
    if (existed && written && zone !== undefined)
      this.#statement('UPDATE zone SET serial = ? WHERE apex = ?').run(nextSerial(zone.serial), apex)
    return outcomes
  }

  #judgeInside(apex: string, marked: MarkedChange<DnsResource>): Judgement {
    const { change } = marked
    const judgement = judge(marked, this.#find(change.before ?? change.after))
    if (judgement.verdict !== 'write') return judgement
    if (change.ref.kind === 'rrset')
      return this.#zoneRow(apex) === undefined ? conflict('its zone does not exist') : write
    if (change.action !== 'delete') return write
    // What is left in a zone is someone else's or was edited: a mark alone doesn't let it go with the zone.
    const left = Number(this.#statement('SELECT count(*) AS n FROM rrset WHERE zone = ?').get(apex)?.n)
    return left === 0 ? write : conflict(`${left} RRsets are left in it`)
  }

  #find(resource: DnsResource): Observed<DnsResource> | undefined {
    if (resource.kind === 'zone') {
      const row = this.#zoneRow(resource.apex)
      return row === undefined ? undefined : { resource: toZone(row), mark: row.mark }
    }
    const { zone, owner, type } = resource
    const row = this.#statement('SELECT * FROM rrset WHERE zone = ? AND owner = ? AND type = ?').get(zone, owner, type)
    if (row === undefined) return undefined
    const found = row as unknown as RRsetRow
    return { resource: toRRset(found), mark: found.mark }
  }

  #write(apex: string, { change, mark }: MarkedChange<DnsResource>): void {
    const { after, before } = change
    if (after === null) {
      if (before.kind === 'zone') this.#statement('DELETE FROM zone WHERE apex = ?').run(apex)
      else
        this.#statement('DELETE FROM rrset WHERE zone = ? AND owner = ? AND type = ?').run(
          apex,
          before.owner,
          before.type,
        )
    } else if (after.kind === 'zone') {
      this.#statement(
        'INSERT INTO zone (apex, serial, mark) VALUES (?, 1, ?) ON CONFLICT DO UPDATE SET mark = excluded.mark',
      ).run(apex, mark)
    } else {
      this.#statement(
        `INSERT INTO rrset (zone, owner, type, ttl, "values", mark) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET ttl = excluded.ttl, "values" = excluded."values", mark = excluded.mark`,
      ).run(apex, after.owner, after.type, after.ttl, JSON.stringify(after.values), mark)
    }
  }

  #zoneRow(apex: string): ZoneRow | undefined {
    return this.#statement('SELECT * FROM zone WHERE apex = ?').get(apex) as ZoneRow | undefined
  }

  /** Reads in one transaction, so that all of it is of the same instant. */
  #atOnce<T>(read: () => T): T {
    this.#database.exec('BEGIN')
    try {
      return read()
    } finally {
      this.#database.exec('COMMIT')
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}
