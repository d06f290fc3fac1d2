/** SMTP TLS reporting records (RFC 8460 section 3). Pure. */
import { formatTagList, parseTagList } from './dkim.ts'

/** @param destinations URIs that reports go to, `mailto:` or `https:`. The record at `_smtp._tls.<domain>`. */
export function formatTlsRpt(destinations: readonly string[]): string {
  return formatTagList([
    ['v', 'TLSRPTv1'],
    ['rua', destinations.join(',')],
  ])
}

/** @returns the destinations; undefined when the text is no TLS reporting record. */
export function parseTlsRpt(text: string): readonly string[] | undefined {
  const tags = parseTagList(text)
  if (tags?.get('v') !== 'TLSRPTv1' || [...tags.keys()][0] !== 'v') return undefined
  const destinations = (tags.get('rua') ?? '').split(',').map(uri => uri.trim())
  return destinations.every(uri => /^(?:mailto|https):[^\s,;!]+$/i.test(uri)) ? destinations : undefined
}
