/**
 * One archive as POSIX has it (ustar, IEEE Std 1003.1, pax): regular files only, every field that could differ fixed, so
 * that the same files give the same bytes. Reading takes exactly what writing gives, and nothing else. Pure.
 */

/** Names are ours and short: letters, digits, `.`, `-`, `_` and `/`, never upwards. */
export type Member = { readonly name: string; readonly bytes: Uint8Array }

export type TarFinding = { readonly name: string; readonly why: 'header' | 'padding' | 'end' | 'name' }

const block = 512
const nameMax = 100 // the prefix field is not used: one place for a name, one way to write it

export function isMemberName(name: string): boolean {
  return name.length <= nameMax && /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/.test(name)
}

/** @param seconds since 1970, of every member. */
export function writeTar(members: readonly Member[], seconds: number): Buffer {
  const parts: Uint8Array[] = []
  for (const { name, bytes } of members) {
    parts.push(headerOf(name, bytes.length, seconds), bytes, Buffer.alloc(paddingOf(bytes.length)))
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * block)])
}

function paddingOf(length: number): number {
  return (block - (length % block)) % block
}

function headerOf(name: string, length: number, seconds: number): Buffer {
  const header = Buffer.alloc(block)
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`
  header.write(name, 0, 'latin1')
  header.write(octal(0o600, 7), 100, 'latin1')
  header.write(octal(0, 7), 108, 'latin1')
  header.write(octal(0, 7), 116, 'latin1')
  header.write(octal(length, 11), 124, 'latin1')
  header.write(octal(seconds, 11), 136, 'latin1')
  header.write('        0', 148, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

/** The members as far as they can be told apart; a byte beside them that is not as written is a finding with its file. */
export function readTar(bytes: Buffer): {
  readonly members: readonly Member[]
  readonly seconds: number
  readonly findings: readonly TarFinding[]
} {
  const members: Member[] = []
  const findings: TarFinding[] = []
  let seconds = 0
  let at = 0
  while (at + block <= bytes.length && bytes[at] !== 0) {
    const header = bytes.subarray(at, at + block)
    const name = header.subarray(0, nameMax).toString('latin1').split('\0')[0] ?? ''
    const length = octalAt(header, 124)
    const time = octalAt(header, 136)
    const label = isMemberName(name) ? name : `#${members.length + 1}`
    if (length === undefined || time === undefined || at + block + length > bytes.length) {
      findings.push({ name: label, why: 'header' })
      return { members, seconds, findings }
    }
    if (members.length === 0) seconds = time
    if (label !== name) findings.push({ name: label, why: 'name' })
    else if (!header.equals(headerOf(name, length, seconds))) findings.push({ name, why: 'header' })
    const content = bytes.subarray(at + block, at + block + length)
    const padded = at + block + length + paddingOf(length)
    if (bytes.subarray(at + block + length, padded).some(byte => byte !== 0))
      findings.push({ name: label, why: 'padding' })
    members.push({ name: label, bytes: content })
    at = padded
  }
  const end = bytes.subarray(at)
  if (end.length !== 2 * block || end.some(byte => byte !== 0))
    findings.push({ name: members.at(-1)?.name ?? '', why: 'end' })
  return { members, seconds, findings }
}

function octalAt(header: Buffer, at: number): number | undefined {
  const text = header.toString('latin1', at, at + 12)
  return /^[0-7]{11}\0$/.test(text) ? Number.parseInt(text, 8) : undefined
}
