/** MTA-STS (RFC 8461): the TXT record that announces a policy, and the policy's text. Pure. */
import { sha256 } from '../core/digest.ts'
import { formatTagList, parseTagList } from './dkim.ts'

export const policyAgeMax = 31_557_600 // RFC 8461 section 3.2: about a year, in seconds

export type MtaStsPolicy = {
  readonly mode: 'enforce' | 'testing' | 'none'
  /** Host names, or `*.` and a domain. At least one unless the mode is none. */
  readonly mx: readonly string[]
  /** Seconds. */
  readonly maxAge: number
}

/** Served at https://mta-sts.DOMAIN/.well-known/mta-sts.txt. */
export function formatMtaStsPolicy(policy: MtaStsPolicy): string {
  const lines = ['version: STSv1', `mode: ${policy.mode}`, ...policy.mx.map(host => `mx: ${host}`)]
  return [...lines, `max_age: ${policy.maxAge}`, ''].join('\r\n')
}

/** @returns undefined when the text is no policy. Unknown fields are passed over. */
export function parseMtaStsPolicy(text: string): MtaStsPolicy | undefined {
  const fields = text
    .split(/\r?\n/)
    .filter(line => line.trim() !== '')
    .map(line => /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):\s*(.*?)\s*$/.exec(line))
  if (fields.some(field => field === null)) return undefined
  const valuesOf = (name: string) => fields.filter(field => field?.[1] === name).map(field => field?.[2] ?? '')
  // RFC 8461 section 3.2: of repeated fields but mx, the first counts.
  const mode = (['enforce', 'testing', 'none'] as const).find(one => one === valuesOf('mode')[0])
  const maxAge = valuesOf('max_age')[0] ?? ''
  const mx = valuesOf('mx')
  if (valuesOf('version')[0] !== 'STSv1' || mode === undefined || !/^\d{1,10}$/.test(maxAge)) return undefined
  if (Number(maxAge) > policyAgeMax || (mode !== 'none' && mx.length === 0)) return undefined
  if (!mx.every(host => /^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i.test(host))) return undefined
  return { mode, mx, maxAge: Number(maxAge) }
}

/** An id that changes when the policy does, and only then: senders fetch the policy anew when it changes. */
export function mtaStsId(policy: MtaStsPolicy): string {
  return sha256(formatMtaStsPolicy(policy)).slice(0, 32)
}

/** The record at `_mta-sts.<domain>`. */
export function formatMtaSts(id: string): string {
  return formatTagList([
    ['v', 'STSv1'],
    ['id', id],
  ])
}

/** @returns the id; undefined when the text is no MTA-STS record. */
export function parseMtaSts(text: string): string | undefined {
  const tags = parseTagList(text)
  const id = tags?.get('id') ?? ''
  return tags?.get('v') === 'STSv1' && [...tags.keys()][0] === 'v' && /^[A-Za-z0-9]{1,32}$/.test(id) ? id : undefined
}
