/** What manifests declare already, so that an import adds to them and says nothing twice. Also of broken ones. Pure. */
import type { ParsedFile, Sheet } from '../manifest/file.ts'
import type { Institution, MailDomain } from '../model/entity.ts'
import { parseDomainName } from '../model/name.ts'
import type { CheckedEstate } from '../model/world.ts'

export type Known = {
  /** null: its document is there and can't be made sense of. */
  readonly institutions: ReadonlyMap<string, Institution | null>
  readonly domains: ReadonlyMap<string, MailDomain | null>
  /** Accounts and their aliases. */
  readonly addresses: ReadonlySet<string>
  /** Numbers of requests, by institution. */
  readonly requests: ReadonlyMap<string, ReadonlySet<string>>
  /** Names of the lists of accounts. */
  readonly lists: ReadonlySet<string>
}

export const nothingKnown: Known = {
  institutions: new Map(),
  domains: new Map(),
  addresses: new Set(),
  requests: new Map(),
  lists: new Set(),
}

export function knownOf(files: readonly ParsedFile[], checked: CheckedEstate): Known {
  const sheets = files.flatMap(file => file.sheets)
  const estates = [...checked.estates.values()]
  const entities = new Map(estates.flatMap(estate => estate.domains).map(domain => [domain.name as string, domain]))
  const domains = new Map<string, MailDomain | null>()
  const owners = new Map<string, string>()
  for (const sheet of sheets) {
    const name = sheet.kind === 'MailDomain' ? parseDomainName(sheet.name) : undefined
    if (name === undefined) continue
    domains.set(name, entities.get(name) ?? null)
    owners.set(name, textOf(specOf(sheet)['institution']))
  }
  const addresses = new Set<string>()
  const requests = new Map<string, Set<string>>()
  const lists = new Set<string>()
  for (const sheet of sheets) {
    if (sheet.kind !== 'AccountList') continue
    lists.add(sheet.name)
    const spec = specOf(sheet)
    const domain = parseDomainName(textOf(spec['domain'])) ?? ''
    for (const account of listOf(spec['accounts']))
      for (const name of [account['name'], ...(Array.isArray(account['aliases']) ? account['aliases'] : [])])
        addresses.add(`${textOf(name).toLowerCase().split('@')[0]}@${domain}`)
    const owner = owners.get(domain)
    if (owner === undefined) continue
    const numbers = requests.get(owner) ?? new Set()
    for (const request of listOf(spec['requests'])) numbers.add(textOf(request['number']))
    requests.set(owner, numbers)
  }
  const institutions = new Map(
    sheets
      .filter(({ kind }) => kind === 'Institution')
      .map(({ name }) => [name, checked.estates.get(name)?.institution ?? null] as const),
  )
  return { institutions, domains, addresses, requests, lists }
}

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

function specOf(sheet: Sheet): Fields {
  return fieldsOf(fieldsOf(sheet.value)['spec'])
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : []
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
