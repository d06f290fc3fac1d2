/** Reads the decision tables. Auditors may add rows: a row that names no effect, or a key that nobody knows, is an error. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import type { PolicyRequest } from '../../agent/standards/policy-delegation.ts'
import { at, type EstateText } from './world.ts'

const folder = fileURLToPath(new URL('.', import.meta.url))

export type Row = {
  readonly description: string
  readonly request: PolicyRequest
  readonly at: number
  readonly expected: {
    readonly effect: string
    readonly reason?: string
    readonly reply?: string
    readonly also?: readonly string[]
    readonly source?: string
  }
}
export type Table = { readonly title: string; readonly estate: EstateText; readonly rows: readonly Row[] }

type RowText = {
  readonly description: string
  readonly request: {
    readonly login?: string
    readonly sender?: string
    readonly recipient: string
    readonly client?: string
    readonly state?: string
    readonly at?: string
  }
  readonly decision: Row['expected']
}
type TableText = { readonly title: string; readonly estate?: Partial<EstateText>; readonly cases: readonly RowText[] }

const known = {
  request: ['login', 'sender', 'recipient', 'client', 'state', 'at'],
  decision: ['effect', 'reason', 'reply', 'also', 'source'],
}

function read<T>(name: string): T[] {
  return parseAllDocuments(readFileSync(`${folder}${name}`, 'utf8')).map(document => {
    if (!('toJS' in document) || document.errors.length > 0) throw new Error(`${name}: ${document}`)
    return document.toJS() as T
  })
}

export const estate = read<EstateText>('estate.yaml')[0] as EstateText

export function readTables(): Table[] {
  const names = readdirSync(folder).filter(name => name.endsWith('.yaml') && name !== 'estate.yaml')
  return names.flatMap(name => read<TableText>(name).map(toTable))
}

function toTable({ title, estate: own = {}, cases }: TableText): Table {
  const merged = {
    ...estate,
    ...own,
    domains: { ...estate.domains, ...own.domains },
    accounts: { ...estate.accounts, ...own.accounts },
  }
  return { title, estate: merged, rows: cases.map(toRow) }
}

function toRow({ description, request, decision }: RowText): Row {
  for (const [part, value] of Object.entries({ request, decision })) {
    const stray = Object.keys(value).find(key => !known[part as keyof typeof known].includes(key))
    if (stray !== undefined) throw new Error(`${description}: ${part} has ${stray}`)
  }
  const login = request.login ?? ''
  return {
    description,
    at: request.at === undefined ? at : Date.parse(request.at),
    expected: decision,
    request: {
      state: request.state ?? 'RCPT',
      clientAddress: request.client ?? '10.20.0.9',
      sender: request.sender ?? login,
      recipient: request.recipient,
      login,
      instance: 'table',
    },
  }
}
