/**
 * Takes secrets out of text that others wrote: what a server logs of passwords when its debugging is on, hashes, our own
 * tokens, keys. It rather takes too much: from the secret's name to the end of the line. Pure.
 */
const patterns: readonly RegExp[] = [
  /\b(?:given )?(?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|resp)\b["']?\s*[:=].*$/i,
  /\bAUTH(?:ENTICATE)?\s+(?:PLAIN|LOGIN|XOAUTH2|OAUTHBEARER)\s+\S.*$/i,
  /\bBearer\s+\S.*$/i,
  /\bmw1_[A-Za-z0-9_-]{10,}.*$/,
  /\{[A-Z0-9][A-Z0-9.-]{1,20}\}\S{4,}.*$/,
  /\$(?:argon2\w*|2[abxy]|1|5|6|7|y|gy|pbkdf2[\w-]*)\$\S+.*$/,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----.*$/,
]

export const redacted = '[redacted]'

export function redact(line: string): string {
  let from = line.length
  for (const pattern of patterns) {
    const found = pattern.exec(line)
    if (found !== null) from = Math.min(from, found.index)
  }
  return from === line.length ? line : `${line.slice(0, from)}${redacted}`
}
