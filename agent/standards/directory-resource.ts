/** Domains and accounts of a directory in the one form in which they compare, and what the mail servers that read it cannot hold. Pure. */
import type { Diagnostic } from '../core/diagnostic.ts'
import type { DirectoryAccount, DirectoryDomain } from '../model/resource.ts'

export type DirectoryResource = DirectoryDomain | DirectoryAccount

/** Sorted and without doubles: the order in which they come back. Idempotent. */
export function canonicalDirectoryResource(resource: DirectoryResource): DirectoryResource {
  if (resource.kind === 'domain') return resource
  return {
    ...resource,
    allowNets: resource.allowNets === null ? null : [...new Set(resource.allowNets)].sort(),
    aliases: [...new Set(resource.aliases)].sort(),
  }
}

/**
 * Dovecot's auth worker answers in one line of at most 8,192 bytes, hash and names included, or refuses the login as a
 * fault. A list of networks beyond this would lock out whoever it was meant to let in.
 */
export const allowNetsBytesMax = 7_000

export function checkDirectoryResource(resource: DirectoryResource): readonly Diagnostic[] {
  if (resource.kind === 'domain' || resource.allowNets === null) return []
  const bytes = resource.allowNets.join(',').length
  if (bytes <= allowNetsBytesMax) return []
  return [
    {
      severity: 'error',
      code: 'E-NETWORKS-MAX',
      values: { address: resource.address, bytes: String(bytes), limit: String(allowNetsBytesMax) },
      subject: `account:${resource.address}`,
    },
  ]
}
