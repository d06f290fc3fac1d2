/**
 * The replies of the API as data of known shape. What has another shape is no answer: `undefined`, never a guess and
 * never an empty list. Names come out canonical: lower case, no final dot. Pure.
 */
import { formatLabels, parseLabels } from '../../agent/standards/dns-text.ts'

export type ListedZone = { readonly apex: string; readonly serial: number; readonly account: string }

export type WireRecord = { readonly content: string; readonly disabled: boolean }

export type WireComment = { readonly content: string; readonly account: string; readonly modified_at?: number }

export type WireRRset = {
  readonly owner: string
  readonly type: string
  /** Seconds. */
  readonly ttl: number
  readonly records: readonly WireRecord[]
  readonly comments: readonly WireComment[]
}

export type FoundZone = {
  readonly apex: string
  /** `Native`, `Master`, `Primary`, `Slave`, … as the server's release has it. */
  readonly kind: string
  readonly account: string
  /** Empty: the server leaves the serial as it is. */
  readonly soaEditApi: string
  readonly dnssec: boolean
  readonly rrsets: readonly WireRRset[]
}

type Members = Readonly<Record<string, unknown>>

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Undefined unless every item parses. */
function every<T>(value: unknown, parse: (item: Members) => T | undefined): T[] | undefined {
  if (!Array.isArray(value)) return undefined
  const parsed: T[] = []
  for (const item of value) {
    const one = isMembers(item) ? parse(item) : undefined
    if (one === undefined) return undefined
    parsed.push(one)
  }
  return parsed
}

function isInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0
}

function parseName(value: unknown): string | undefined {
  if (typeof value !== 'string' || !value.endsWith('.')) return undefined
  const labels = parseLabels(value)
  return labels === undefined ? undefined : formatLabels(labels)
}

/** `GET …/zones`. */
export function parseList(json: unknown): ListedZone[] | undefined {
  const zones = every(json, ({ name, serial, account }) => {
    const apex = parseName(name)
    if (apex === undefined || !isInteger(serial)) return undefined
    return { apex, serial, account: typeof account === 'string' ? account : '' }
  })
  return zones === undefined || new Set(zones.map(({ apex }) => apex)).size === zones.length ? zones : undefined
}

function parseRRset({ name, type, ttl, records, comments }: Members): WireRRset | undefined {
  const owner = parseName(name)
  const found = every(records, ({ content, disabled }): WireRecord | undefined =>
    typeof content === 'string' && typeof disabled === 'boolean' ? { content, disabled } : undefined,
  )
  const said = every(comments, ({ content, account, modified_at }): WireComment | undefined =>
    typeof content === 'string' && typeof account === 'string' && isInteger(modified_at)
      ? { content, account, modified_at }
      : undefined,
  )
  if (owner === undefined || typeof type !== 'string' || !isInteger(ttl)) return undefined
  return found === undefined || said === undefined ? undefined : { owner, type, ttl, records: found, comments: said }
}

/** `GET …/zones/<id>` and the reply to the POST of a zone. */
export function parseZone(json: unknown): FoundZone | undefined {
  if (!isMembers(json)) return undefined
  const { name, kind, account, soa_edit_api, dnssec } = json
  const apex = parseName(name)
  const rrsets = every(json['rrsets'], parseRRset)
  if (apex === undefined || rrsets === undefined || typeof kind !== 'string' || typeof dnssec !== 'boolean')
    return undefined
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  return { apex, kind, account: text(account), soaEditApi: text(soa_edit_api), dnssec, rrsets }
}

/** `GET …/config`: the back ends launched, without the names of their instances; undefined when it isn't said. */
export function parseLaunch(json: unknown): string[] | undefined {
  const settings = every(json, ({ name, value }) =>
    typeof name === 'string' && typeof value === 'string' ? { name, value } : undefined,
  )
  const launch = settings?.find(({ name }) => name === 'launch')?.value
  return launch?.split(/[\s,]+/).flatMap(backend => (backend === '' ? [] : [backend.split(':')[0] ?? '']))
}

/** What is wrong, for people: `{"error": "…"}`, or nothing. */
export function parseError(json: unknown): string {
  const error = isMembers(json) ? json['error'] : undefined
  return typeof error === 'string' ? error.slice(0, errorLengthMax) : ''
}

const errorLengthMax = 300 // a record's whole content may stand in it; the rest is no help
