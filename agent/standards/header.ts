/**
 * Header fields of messages as strangers write them (RFC 5322 section 2.2, RFC 2045 section 5.1, RFC 8601): unfolded, cut
 * into parameters and results. Octets are read as Latin-1, each one character. Bounded and linear whatever comes; what is
 * beyond a bound is not there. No I/O.
 */

/** Fields of one block: a message that was relayed often has some sixty. */
const fieldsMax = 300
/** Of one value: long enough for a signature, too short for an attack on a parser. */
const valueCharsMax = 8_192
const paramsMax = 50
const resultsMax = 100

export type Field = { readonly name: string; readonly value: string }

/** Names in lower case, values unfolded; in their order. A line that is no field ends nothing and is passed over. */
export function parseFields(block: string): readonly Field[] {
  const fields: { name: string; value: string }[] = []
  for (const line of block.split(/\r?\n/)) {
    const last = fields.at(-1)
    if (/^[ \t]/.test(line)) {
      if (last !== undefined && last.value.length < valueCharsMax) last.value += ` ${line.trim()}`
      continue
    }
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0)).trimEnd().toLowerCase()
    if (!/^[!-9;-~]{1,100}$/.test(name)) continue
    if (fields.length >= fieldsMax) break
    fields.push({ name, value: line.slice(colon + 1).trim() })
  }
  return fields.map(({ name, value }) => ({ name, value: value.slice(0, valueCharsMax) }))
}

export function valuesOf(fields: readonly Field[], name: string): readonly string[] {
  return fields.filter(field => field.name === name).map(({ value }) => value)
}

/** `value; name=value; name="value"`: the first part in lower case, and parameters by name in lower case, the first of each. */
export function parseParameters(text: string): { readonly main: string; readonly params: ReadonlyMap<string, string> } {
  const [main = '', ...rest] = splitAt(withoutComments(text), ';', paramsMax + 1)
  const params = new Map<string, string>()
  for (const part of rest) {
    const equals = part.indexOf('=')
    const name = part.slice(0, Math.max(equals, 0)).trim().toLowerCase()
    if (name !== '' && !params.has(name)) params.set(name, unquoted(part.slice(equals + 1).trim()))
  }
  return { main: main.trim().toLowerCase(), params }
}

/** One method of an Authentication-Results field (RFC 8601 section 2.2): `dkim=pass header.d=example.org`. */
export type AuthenticationResult = {
  readonly method: string
  readonly result: string
  /** `header.d`, `smtp.mailfrom`… in lower case. */
  readonly properties: ReadonlyMap<string, string>
}

export function parseAuthenticationResults(text: string): {
  readonly authserv: string
  readonly results: readonly AuthenticationResult[]
} {
  const [first = '', ...rest] = splitAt(withoutComments(text), ';', resultsMax + 1)
  const results = rest.flatMap(part => {
    const [head = '', ...words] = part.trim().split(/\s+/)
    const [method = '', result = ''] = head.toLowerCase().split('=')
    if (method === '' || result === '') return []
    const properties = new Map<string, string>()
    for (const word of words.slice(0, paramsMax)) {
      const equals = word.indexOf('=')
      const name = word.slice(0, Math.max(equals, 0)).toLowerCase()
      if (name !== '' && !properties.has(name)) properties.set(name, unquoted(word.slice(equals + 1)).toLowerCase())
    }
    return [{ method: method.split('/')[0] ?? '', result, properties }]
  })
  // A version may follow the id.
  return { authserv: unquoted(first.trim().split(/\s+/)[0] ?? '').toLowerCase(), results }
}

/** RFC 5322 section 3.2.2: comments nest; what is within quotes is none. */
function withoutComments(text: string): string {
  let out = ''
  let depth = 0
  let isQuoted = false
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] ?? ''
    if (character === '\\') {
      if (depth === 0) out += text.slice(index, index + 2)
      index += 1
    } else if (depth === 0 && character === '"') {
      isQuoted = !isQuoted
      out += character
    } else if (!isQuoted && character === '(') depth += 1
    else if (!isQuoted && character === ')' && depth > 0) depth -= 1
    else if (depth === 0) out += character
  }
  return out
}

/** At most so many parts; the rest is not read. A mark within quotes is none. */
function splitAt(text: string, mark: string, partsMax: number): readonly string[] {
  const parts: string[] = []
  let from = 0
  let isQuoted = false
  for (let index = 0; index < text.length && parts.length < partsMax; index += 1) {
    const character = text[index]
    if (character === '\\') index += 1
    else if (character === '"') isQuoted = !isQuoted
    else if (character === mark && !isQuoted) {
      parts.push(text.slice(from, index))
      from = index + 1
    }
  }
  if (parts.length < partsMax) parts.push(text.slice(from))
  return parts
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, text.endsWith('"') ? -1 : undefined).replaceAll(/\\(.)/g, '$1') : text
}
