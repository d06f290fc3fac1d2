/** Local parts as manifests write them. Pure. */
import { parseLocalpart } from '../model/name.ts'

/** The local part of an alias of the same domain, given whole or alone; undefined when it is none. */
export function relativeLocalpart(alias: string, address: string): string | undefined {
  const lower = alias.toLowerCase()
  const domain = address.slice(address.lastIndexOf('@'))
  return parseLocalpart(lower.endsWith(domain) ? lower.slice(0, -domain.length) : lower)
}
