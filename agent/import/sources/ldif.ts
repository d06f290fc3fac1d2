/**
 * LDIF of entries (RFC 2849): folded lines, base64, comments. A value by URL is refused, since it reads whatever file a
 * stranger names; change records are none of an export. It never throws. Pure.
 */

/** Attribute names in lower case without options. */
export type LdifEntry = {
  readonly line: number
  readonly dn: string
  readonly attributes: ReadonlyMap<string, readonly string[]>
}
export type LdifFault = { readonly line: number; readonly what: string }
export type Ldif = { readonly entries: readonly LdifEntry[]; readonly faults: readonly LdifFault[] }

const faultsMax = 1_000 // a file that is no LDIF has as many as lines

type Logical = { readonly line: number; text: string }

export function readLdif(text: string): Ldif {
  const faults: LdifFault[] = []
  const fault = (line: number, what: string) => {
    if (faults.length < faultsMax) faults.push({ line, what })
  }
  const entries: LdifEntry[] = []
  let record: Logical[] = []
  const finish = () => {
    const [first] = record
    if (first !== undefined) {
      const entry = readEntry(record, fault)
      if (entry !== undefined) entries.push(entry)
    }
    record = []
  }
  let comment = false
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    if (line === '') finish()
    else if (line.startsWith(' ')) {
      const last = record.at(-1)
      if (comment) continue
      if (last === undefined) fault(index + 1, 'folded')
      else last.text += line.slice(1)
      continue
    } else if (!line.startsWith('#') && !/^version:/i.test(line)) record.push({ line: index + 1, text: line })
    comment = line.startsWith('#') || /^version:/i.test(line)
  }
  finish()
  return { entries, faults }
}

function readEntry(record: readonly Logical[], fault: (line: number, what: string) => void): LdifEntry | undefined {
  const line = record[0]?.line ?? 0
  const attributes = new Map<string, string[]>()
  let dn: string | undefined
  for (const [index, { line: at, text }] of record.entries()) {
    const parts = /^([A-Za-z0-9][A-Za-z0-9.-]*)((?:;[A-Za-z0-9-]+)*):(:|<)? *([\s\S]*)$/.exec(text)
    const name = parts?.[1]?.toLowerCase()
    const value = parts === null ? undefined : parts[3] === '<' ? undefined : decode(parts[3], parts[4] ?? '')
    // Only the name is reported: a value may be a password.
    if (name === undefined || value === undefined) fault(at, name ?? 'line')
    else if (index === 0) {
      if (name === 'dn') dn = value
      else fault(at, name)
    } else if (name === 'changetype' && value !== 'add') {
      fault(at, 'changetype')
      return undefined
    } else attributes.set(name, [...(attributes.get(name) ?? []), value])
  }
  return dn === undefined ? undefined : { line, dn, attributes }
}

/** Text of UTF-8; undefined for what is none. */
function decode(sign: string | undefined, text: string): string | undefined {
  if (sign === undefined) return text
  const bare = text.replaceAll(' ', '')
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(bare)) return undefined
  const octets = Buffer.from(bare, 'base64')
  const value = octets.toString('utf8')
  // Binary data, as a photograph is, stands for itself and nothing that is read here.
  return Buffer.from(value, 'utf8').equals(octets) ? value : ''
}
