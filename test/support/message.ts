/** Reads a message as a mail program does: unfolded headers with their encoded words decoded, the text from base64. */

export type ReadMessage = {
  /** By name in lower case; of a header that stands twice, the last. */
  readonly headers: ReadonlyMap<string, string>
  /** Names in their order, as often as they stand. */
  readonly names: readonly string[]
  readonly text: string
}

function decodeWords(value: string): string {
  return value
    .replace(/(=\?UTF-8\?B\?[A-Za-z0-9+/=]+\?=)\s+(?==\?UTF-8\?B\?)/g, '$1')
    .replace(/=\?UTF-8\?B\?([A-Za-z0-9+/=]+)\?=/g, (_, word: string) => Buffer.from(word, 'base64').toString())
}

export function parseMessage(message: string): ReadMessage {
  const end = message.indexOf('\r\n\r\n')
  const fields = message
    .slice(0, end)
    .split(/\r\n(?![ \t])/)
    .map(field => field.replace(/\r\n(?=[ \t])/g, ''))
    .map(
      field => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()] as const,
    )
  return {
    headers: new Map(fields.map(([name, value]) => [name, decodeWords(value)])),
    names: fields.map(([name]) => name),
    text: Buffer.from(message.slice(end + 4), 'base64').toString(),
  }
}
