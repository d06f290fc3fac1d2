/**
 * Values to the everyday YAML of manifests: block style, short things in one line, every doubtful text in quotes, and
 * comments beside what a person should look at. The same value gives the same text. Pure.
 */

export type YamlValue = string | number | boolean | readonly YamlValue[] | { readonly [key: string]: YamlValue } | Noted

/** A value with a comment at the end of its line; never within a line of flow style. */
export class Noted {
  readonly value: YamlValue
  readonly comment: string

  constructor(value: YamlValue, comment: string) {
    this.value = value
    this.comment = comment
  }
}

const lineMax = 110 // characters; longer ones are broken up, as people do

/** A document without its `---`. */
export function formatYaml(value: { readonly [key: string]: YamlValue }): string {
  return `${mapLines(value).join('\n')}\n`
}

// Words and numbers of YAML 1.1 or 1.2 are not among these, nor is anything with a sign of its own meaning.
const plainForm = /^[A-Za-z][A-Za-z0-9._/-]*$/
const wordsOfYaml = /^(?:y|n|yes|no|on|off|true|false|null|inf|nan)$/i

export function formatScalar(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value)
  if (plainForm.test(value) && !wordsOfYaml.test(value)) return value
  // JSON is YAML, but for characters that no file of YAML may hold as they are.
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

type Map = { readonly [key: string]: YamlValue }

function isMap(value: YamlValue): value is Map {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Noted)
}

/** In one line, or undefined where a comment forbids it. */
function flow(value: YamlValue): string | undefined {
  if (value instanceof Noted) return undefined
  if (typeof value !== 'object') return formatScalar(value)
  if (Array.isArray(value)) {
    // Parts of documents stand one below the other, so that lines of a change are lines of one part.
    if ((value as readonly YamlValue[]).some(item => typeof item === 'object')) return undefined
    const items = (value as readonly YamlValue[]).map(flow)
    return items.includes(undefined) ? undefined : `[${items.join(', ')}]`
  }
  const pairs = Object.entries(value as Map).map(([key, item]) => {
    const text = flow(item)
    return text === undefined ? undefined : `${key}: ${text}`
  })
  return pairs.includes(undefined) ? undefined : `{ ${pairs.join(', ')} }`
}

function indented(lines: readonly string[]): string[] {
  return lines.map(line => `  ${line}`)
}

function mapLines(map: Map): string[] {
  return Object.entries(map).flatMap(([key, item]) => {
    const comment = item instanceof Noted ? `  # ${item.comment}` : ''
    const value = item instanceof Noted ? item.value : item
    const line = flow(value)
    const long = line === undefined || (isMap(value) && key === 'spec') || line.length > lineMax
    const fits = line !== undefined && (!long || typeof value !== 'object')
    // Lists of documents' parts are read line by line, however short.
    const isList = Array.isArray(value) && value.some(one => one instanceof Noted || typeof one === 'object')
    if (fits && !isList) return [`${key}: ${line}${comment}`]
    return [`${key}:${comment}`, ...indented(Array.isArray(value) ? listLines(value) : mapLines(value as Map))]
  })
}

function listLines(items: readonly YamlValue[]): string[] {
  return items.flatMap(item => {
    const comment = item instanceof Noted ? `  # ${item.comment}` : ''
    const value = item instanceof Noted ? item.value : item
    const line = flow(value)
    if (line !== undefined && (line.length <= lineMax || typeof value !== 'object')) return [`- ${line}${comment}`]
    const [first = '', ...rest] = Array.isArray(value) ? listLines(value) : mapLines(value as Map)
    return [`- ${first}${comment}`, ...indented(rest)]
  })
}
