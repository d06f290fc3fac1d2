/**
 * Drafts to the text of manifests: one file for each domain, one for each institution that has none. What only a person
 * can know stands as an empty value that `validate` reports with its place, never as an invented one. The same drafts
 * give the same text. Pure.
 */
import type { Language } from '../model/entity.ts'
import type { AccountDraft } from './accounts.ts'
import { type Comments, commentsIn } from './comments.ts'
import { type DomainDraft, type DraftOptions, draft, type InstitutionDraft } from './drafts.ts'
import type { Difference, ImportedEstate, Left } from './estate.ts'
import { extraOf } from './judge-records.ts'
import { formatYaml, Noted, type YamlValue } from './yaml.ts'

export type ImportOptions = DraftOptions & {
  /** The request that every account rests on; null: to fill in. */
  readonly request: string | null
  readonly language: Language
  /** Path of the schema from where the files will stand. */
  readonly schema: string
}

export type ImportedFile = { readonly path: string; readonly text: string }

export type Imported = {
  readonly files: readonly ImportedFile[]
  readonly differences: readonly Difference[]
  readonly left: readonly Left[]
}

const accountsMax = 500 // of one file: as large a file as is read holds some more, with holders filled in

type Document = { readonly [key: string]: YamlValue }
type Writing = { readonly options: ImportOptions; readonly say: Comments }

export function importEstate(estate: ImportedEstate, options: ImportOptions): Imported {
  const { institutions, domains, differences, left } = draft(estate, options)
  const writing = { options, say: commentsIn(options.language) }
  const written = new Map<string, Set<string>>()
  const files = [
    ...institutions.map(one => ({ path: `${one.name}.yaml`, documents: [institutionDocument(one, writing)] })),
    ...domains.flatMap(one => domainFiles(one, writing, written)),
  ]
  return {
    files: files.map(({ path, documents }) => ({ path, text: textOf(documents, writing) })),
    differences,
    left,
  }
}

function textOf(documents: readonly Document[], { options, say }: Writing): string {
  const head = `# yaml-language-server: $schema=${options.schema}\n# ${say.header}\n`
  return head + documents.map(formatYaml).join('---\n')
}

function documentOf(kind: string, name: string, spec: Document): Document {
  return { apiVersion: 'mailwarden/v1', kind, metadata: { name }, spec }
}

function institutionDocument({ name, networks, servers }: InstitutionDraft, { say }: Writing): Document {
  const blank = (value: YamlValue) => new Noted(value, say.fill)
  const paper = { signedOn: '', document: '' }
  return documentOf('Institution', name, {
    title: blank(''),
    province: blank(''),
    director: { name: blank(''), email: blank('') },
    representatives: [{ name: blank(''), id: '', email: '', from: '' }],
    contract: {
      number: blank(''),
      signedOn: '',
      validUntil: '',
      document: '',
      supplements: [{ type: 3, ...paper }],
    },
    capacity: {
      determinedOn: blank(''),
      validUntil: '',
      national: { capacity: '', used: '' },
      provincial: { capacity: '', used: '' },
      document: '',
    },
    ...(networks.length === 0 ? {} : { networks }),
    ...(servers.length === 0
      ? {}
      : {
          servers: servers.map(({ host, addresses, role }) => ({
            host,
            addresses: addresses.length === 0 ? [''] : addresses,
            role: [role],
          })),
        }),
  })
}

function domainFiles(
  one: DomainDraft,
  writing: Writing,
  written: Map<string, Set<string>>,
): { path: string; documents: Document[] }[] {
  const { name, institution, accounts } = one
  const { request, known } = writing.options
  const numbers = written.get(institution) ?? new Set(known.requests.get(institution))
  written.set(institution, numbers)
  const lists = known.lists
  const files: { path: string; documents: Document[] }[] = []
  const first: Document[] = one.document === null ? [] : [domainDocument(one.document, writing)]
  for (let start = 0; start === 0 || start < accounts.length; start += accountsMax) {
    const part = accounts.slice(start, start + accountsMax)
    // A paper is written once; the other lists of its institution may rest on it all the same.
    const live = part.some(({ withdrawn }) => !withdrawn)
    const fresh = live && (request === null ? start === 0 : !numbers.has(request))
    if (fresh && request !== null) numbers.add(request)
    const label = listName(name, start / accountsMax, lists)
    const list = part.length === 0 ? [] : [listDocument({ name: label, domain: name, part, fresh }, writing)]
    const documents = [...(start === 0 ? first : []), ...list]
    const path = start === 0 && one.document !== null ? name : start === 0 ? label : `${label}`
    if (documents.length > 0) files.push({ path: `${path}.yaml`, documents })
  }
  return files
}

/** No two lists have one name. */
function listName(domain: string, index: number, taken: ReadonlySet<string>): string {
  const names = [index === 0 ? domain : `${domain}-${index + 1}`]
  for (let more = 1; taken.has(names.at(-1) ?? ''); more += 1)
    names.push(`${domain}-import${index === 0 ? '' : `-${index + 1}`}${more === 1 ? '' : `-${more}`}`)
  return names.at(-1) ?? domain
}

function domainDocument(
  { domain, extra, deliveryKnown }: NonNullable<DomainDraft['document']>,
  { say }: Writing,
): Document {
  const { name, institution, delivery, administrator, collector, accountsMax, storageBytes, ttl } = domain
  const login = (address: string) => ({ login: address.slice(0, address.lastIndexOf('@')) })
  const dns = {
    ...(ttl === 3600 ? {} : { ttl }),
    ...(extra.length === 0 ? {} : { extra: extra.map(record => extraOf(record, name, ttl)) }),
  }
  return documentOf('MailDomain', name, {
    institution,
    delivery: deliveryKnown ? delivery : new Noted(delivery, say.assumed),
    administrator: login(administrator),
    ...(collector === null ? {} : { collector: login(collector) }),
    limits: new Noted({ accounts: accountsMax, storage: formatSize(storageBytes) }, say.asItStands),
    defaults: new Noted({ send: 'national', receive: 'international', access: 'institution' }, say.scopes),
    ...(Object.keys(dns).length === 0 ? {} : { dns }),
  })
}

type ListDraft = {
  readonly name: string
  readonly domain: string
  readonly part: readonly AccountDraft[]
  /** The request stands nowhere yet. */
  readonly fresh: boolean
}

function listDocument({ name, domain, part, fresh }: ListDraft, { options, say }: Writing): Document {
  const request = {
    number: new Noted(options.request ?? '', say.fill),
    agreement: { number: '', date: '' },
    filedBy: '',
    approvedBy: '',
    signed: false,
    stamped: false,
    document: '',
  }
  return documentOf('AccountList', name, {
    domain,
    ...(fresh ? { requests: [request] } : {}),
    accounts: part.map(account => accountEntry(account, options.request ?? '')),
  })
}

function accountEntry(account: AccountDraft, request: string): YamlValue {
  const { localpart, aliases, quotaBytes, access, withdrawn, holder } = account
  const { name = '', id = '', post = '', purpose = '', category = '' } = holder
  return {
    name: localpart,
    // Closing needs no papers.
    ...(withdrawn ? { state: 'withdrawn' } : { holder: { name, id, post, purpose, category }, request }),
    ...(access === 'institution' ? {} : { access }),
    ...(quotaBytes === 0 ? {} : { quota: formatSize(quotaBytes) }),
    ...(aliases.length === 0 ? {} : { aliases }),
  }
}

/** Exact bytes in the largest unit that holds them whole. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let amount = bytes
  let unit = 0
  while (amount > 0 && amount % 1024 === 0 && unit < units.length - 1) {
    amount /= 1024
    unit += 1
  }
  return `${amount}${units[unit]}`
}
