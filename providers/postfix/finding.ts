/** What `examine.ts` and `relay.ts` find in a Postfix configuration. */
export type PostfixFindingCode =
  | 'short-queue-ids'
  | 'policy-absent'
  | 'policy-without-recipient'
  | 'policy-after-permit'
  | 'policy-before-relay-check'
  | 'policy-slow'
  | 'policy-braces'
  | 'policy-default-action'
  | 'map-needs-reload'
  | 'open-relay'

export type PostfixFinding = {
  readonly code: PostfixFindingCode
  /** `enable_long_queue_ids`, `submission/inet/smtpd_recipient_restrictions`. */
  readonly parameter: string
  readonly found: string
  readonly wanted: string
}
