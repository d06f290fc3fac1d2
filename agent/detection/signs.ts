/**
 * What each signal may do, as a table (mission section 8). A code that stands here for nothing is told and recorded, and
 * that is all: too many wrong passwords never close an account, or guessing them would lock out its owner.
 */
import type { IncidentClass } from '../model/incident.ts'

/**
 * `record`: nobody is told. `alert`: people are. `account`: may restrict the account that it is of. `domain`: counts
 * towards the suspension of a domain, which a person decides on.
 */
export type Reach = 'record' | 'alert' | 'account' | 'domain'

export type Sign = {
  /** Two signals of one family are one witness, not two: they are counted from the same thing. */
  readonly family: 'recipients' | 'volume' | 'access' | 'complaints' | 'blocklists' | 'unregistered' | 'queue'
  readonly reach: readonly Reach[]
  /** The level from which it counts; what is below is told and no more. */
  readonly from: 'alert' | 'act'
  readonly class: IncidentClass
}

export const signs = {
  'SIG-UNKNOWN-RECIPIENTS': { family: 'recipients', reach: ['account'], from: 'act', class: 'spam' },
  'SIG-BOUNCES': { family: 'recipients', reach: ['account'], from: 'act', class: 'spam' },
  'SIG-RATE': { family: 'volume', reach: ['account'], from: 'act', class: 'spam' },
  // Beyond what is usual: the figure at which an account is closed is that of `rate`.
  'SIG-RECIPIENTS': { family: 'volume', reach: ['alert'], from: 'act', class: 'spam' },
  // At `alert` somebody was refused outside; `act` is a login that succeeded there.
  'SIG-OFF-LAN': {
    family: 'access',
    reach: ['account', 'domain'],
    from: 'act',
    class: 'unprivileged-account-compromise',
  },
  // Many people at once in a new place have moved, or their provider has.
  'SIG-ADDRESSING': { family: 'access', reach: ['alert'], from: 'act', class: 'misconfiguration' },
  'SIG-CLIENTS': { family: 'access', reach: ['alert'], from: 'act', class: 'unprivileged-account-compromise' },
  'SIG-SCOPE': { family: 'volume', reach: ['alert'], from: 'act', class: 'spam' },
  'SIG-AUTH-FAILURES': { family: 'access', reach: ['record'], from: 'act', class: 'brute-force' },
  'SIG-ABUSE-REPORT': { family: 'complaints', reach: ['account'], from: 'act', class: 'spam' },
  // One listing is an alert already, and never more without another family.
  'SIG-BLOCKLIST': { family: 'blocklists', reach: ['domain'], from: 'alert', class: 'spam' },
  'SIG-BLOCKLIST-RELAY': { family: 'blocklists', reach: ['alert'], from: 'act', class: 'spam' },
  'SIG-UNKNOWN-RELAY': {
    family: 'unregistered',
    reach: ['domain'],
    from: 'act',
    class: 'unauthorized-use-of-resources',
  },
  'SIG-QUEUE': { family: 'queue', reach: ['domain'], from: 'act', class: 'spam' },
} as const satisfies Readonly<Record<string, Sign>>
export type SignCode = keyof typeof signs

/** Undefined for a code that this version does not know: it does nothing. */
export function signOf(code: string): Sign | undefined {
  return Object.hasOwn(signs, code) ? signs[code as SignCode] : undefined
}
