/**
 * Rows to resources and back. Reading reports what stands, odd values included, so that drift shows and is put right;
 * it never judges. Writing changes one object with its alias rows; ownership is `change.ts`'s affair.
 */

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { Address, DomainName } from '../../agent/model/name.ts'
import type { AccountRole, DirectoryAccount, DirectoryDomain, Status } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { Observed, Scope } from '../provider.ts'

export type ObservedEntry = Observed<DirectoryResource>

type Row = Readonly<Record<string, SQLOutputValue>>

const domainColumns = 'name, institution, delivery, login, collection, next_hop, mark'
// As a real number, since an integer beyond 2^53 that somebody wrote by hand would make the driver throw.
const accountColumns = 'address, domain, role, status, allow_nets, CAST(quota_bytes AS REAL) AS quota, mark'

export type Rows = ReturnType<typeof prepareRows>

/** Statements are prepared once; SQLite prepares them anew by itself when the tables change. */
export function prepareRows(database: DatabaseSync) {
  const prepare = (sql: string) => database.prepare(sql)
  return {
    domain: prepare(`SELECT ${domainColumns} FROM domain WHERE name = ?`),
    domains: prepare(`SELECT ${domainColumns} FROM domain ORDER BY name`),
    account: prepare(`SELECT ${accountColumns} FROM account WHERE address = ?`),
    accounts: prepare(`SELECT ${accountColumns} FROM account ORDER BY address`),
    accountsOf: prepare(`SELECT ${accountColumns} FROM account WHERE domain = ? ORDER BY address`),
    aliasesOf: prepare('SELECT address FROM alias WHERE target = ? ORDER BY address'),
    aliases: prepare('SELECT address, target FROM alias ORDER BY address'),
    putDomain: prepare(
      `INSERT INTO domain (${domainColumns}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET
       institution = excluded.institution, delivery = excluded.delivery, login = excluded.login,
       collection = excluded.collection, next_hop = excluded.next_hop, mark = excluded.mark`,
    ),
    putAccount: prepare(
      `INSERT INTO account (address, role, status, allow_nets, quota_bytes, mark) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (address) DO UPDATE SET role = excluded.role, status = excluded.status,
       allow_nets = excluded.allow_nets, quota_bytes = excluded.quota_bytes, mark = excluded.mark`,
    ),
    putAlias: prepare('INSERT INTO alias (address, target) VALUES (?, ?) ON CONFLICT DO NOTHING'),
    dropAliases: prepare('DELETE FROM alias WHERE target = ?'),
    dropDomain: prepare('DELETE FROM domain WHERE name = ?'),
    dropAccount: prepare('DELETE FROM account WHERE address = ?'),
    dropCredential: prepare('DELETE FROM credential WHERE address = ?'),
    putCredential: prepare(
      `INSERT INTO credential (address, hash, changed_at) VALUES (?, ?, ?)
       ON CONFLICT (address) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at`,
    ),
    credentialsOf: prepare(
      `SELECT credential.address, CAST(changed_at AS REAL) AS changed_at
       FROM credential JOIN account ON account.address = credential.address WHERE account.domain = ?`,
    ),
    countAccounts: prepare('SELECT count(*) AS count FROM account WHERE domain = ?'),
    foreignHolders: prepare(
      `SELECT account.address FROM account WHERE account.mark IS NULL AND (account.address = :name
         OR account.address IN (SELECT target FROM alias WHERE alias.address = :name))
       AND account.address <> :owner LIMIT 1`,
    ),
    dataVersion: prepare('PRAGMA data_version'),
  }
}

export function readDomain(rows: Rows, name: string): ObservedEntry | undefined {
  const row = rows.domain.get(name)
  return row === undefined ? undefined : toDomain(row)
}

export function readAccount(rows: Rows, address: string): ObservedEntry | undefined {
  const row = rows.account.get(address)
  if (row === undefined) return undefined
  return toAccount(
    row,
    rows.aliasesOf.all(address).map(alias => textOf(alias.address)),
  )
}

/** Everything in the scope; the caller's transaction makes it one picture. */
export function readScope(rows: Rows, scope: Scope): ObservedEntry[] {
  if (scope === 'all') {
    const aliases = Map.groupBy(rows.aliases.all(), row => textOf(row.target))
    const accounts = rows.accounts.all().map(row =>
      toAccount(
        row,
        (aliases.get(textOf(row.address)) ?? []).map(alias => textOf(alias.address)),
      ),
    )
    return [...rows.domains.all().map(toDomain), ...accounts]
  }
  return [...new Set(scope.domains)].flatMap(name => {
    const accounts = rows.accountsOf.all(name).map(row =>
      toAccount(
        row,
        rows.aliasesOf.all(textOf(row.address)).map(alias => textOf(alias.address)),
      ),
    )
    return [readDomain(rows, name) ?? [], accounts].flat()
  })
}

export function writeResource(rows: Rows, resource: DirectoryResource, mark: string): void {
  if (resource.kind === 'domain') {
    const { domain, institution, delivery, login, collection, nextHop } = resource
    rows.putDomain.run(domain, institution, delivery, login, collection, nextHop, mark)
    return
  }
  const { address, role, status, allowNets, quotaBytes, aliases } = resource
  rows.putAccount.run(address, role, status, allowNets?.join(',') ?? null, quotaBytes, mark)
  rows.dropAliases.run(address)
  for (const alias of aliases) rows.putAlias.run(alias, address)
}

/** With an account go its aliases and its password: a later account of that name starts without either. */
export function removeResource(rows: Rows, resource: DirectoryResource): void {
  if (resource.kind === 'domain') {
    rows.dropDomain.run(resource.domain)
    return
  }
  rows.dropAliases.run(resource.address)
  rows.dropCredential.run(resource.address)
  rows.dropAccount.run(resource.address)
}

function toDomain(row: Row): ObservedEntry {
  const domain = textOf(row.name) as DomainName
  const resource: DirectoryDomain = {
    provider: 'directory',
    kind: 'domain',
    key: domain,
    domain,
    institution: textOf(row.institution),
    // The casts claim no more than the column does: another word in it is reported as that word.
    delivery: textOf(row.delivery) as DirectoryDomain['delivery'],
    login: textOf(row.login) as Status,
    collection: textOf(row.collection) as Status,
    nextHop: textOrNull(row.next_hop),
  }
  return { resource, mark: textOrNull(row.mark) }
}

function toAccount(row: Row, aliases: readonly string[]): ObservedEntry {
  const address = textOf(row.address) as Address
  const nets = textOrNull(row.allow_nets)
  const resource: DirectoryAccount = {
    provider: 'directory',
    kind: 'account',
    key: address,
    address,
    domain: textOf(row.domain) as DomainName,
    role: textOf(row.role) as AccountRole,
    status: textOf(row.status) as Status,
    allowNets: nets === null ? null : nets === '' ? [] : nets.split(','),
    quotaBytes: Number(row.quota),
    aliases: aliases as readonly Address[],
  }
  return { resource, mark: textOrNull(row.mark) }
}

function textOf(value: SQLOutputValue | undefined): string {
  return value === null || value === undefined ? '' : String(value)
}

function textOrNull(value: SQLOutputValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value)
}
