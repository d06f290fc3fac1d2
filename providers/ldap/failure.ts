/** Result codes of LDAP that a caller acts on, and what a refusal means for whoever reads about it. Pure. RFC 4511 appendix A. */
import { type FailureKind, ProviderFailure } from '../provider.ts'

/** RFC 4511 section 4.1.9 and RFC 4528. */
export const resultCodes = {
  sizeLimitExceeded: 4,
  noSuchAttribute: 16,
  attributeOrValueExists: 20,
  noSuchObject: 32,
  notAllowedOnNonLeaf: 66,
  entryAlreadyExists: 68,
  assertionFailed: 122,
} as const

const kinds: Readonly<Record<number, readonly [FailureKind, 'later' | 'never', string]>> = {
  3: ['timeout', 'later', 'time limit exceeded'],
  4: ['rejected', 'later', 'size limit exceeded'],
  8: ['unauthorized', 'never', 'stronger authentication required'],
  10: ['unsupported', 'never', 'it refers to another server'],
  11: ['rejected', 'later', 'administrative limit exceeded'],
  12: ['unsupported', 'never', 'unavailable critical extension'],
  13: ['unauthorized', 'never', 'confidentiality required'],
  32: ['rejected', 'never', 'no such object'],
  48: ['unauthorized', 'never', 'inappropriate authentication'],
  49: ['unauthorized', 'never', 'invalid credentials'],
  50: ['unauthorized', 'never', 'insufficient access rights'],
  51: ['unreachable', 'later', 'busy'],
  52: ['unreachable', 'later', 'unavailable'],
  53: ['rejected', 'never', 'unwilling to perform'],
  65: ['rejected', 'never', 'object class violation'],
}

export type Refusal = { readonly code: number; readonly text: string }

export function toFailure({ code, text }: Refusal, message: string): ProviderFailure {
  const [kind, retry, name] = kinds[code] ?? (['rejected', 'never', ''] as const)
  const said = [name, text].filter(part => part !== '').join(', ')
  return new ProviderFailure(kind, `${message}: ${said === '' ? 'it did not say why' : said} (result ${code})`, {
    retry,
  })
}
