/** A suite over real mail servers: run where they are, skipped with its reason printed where not, failed where they must be. */
import { describe, expect, test } from 'vitest'
import { whyNoServers } from './mail-servers.ts'

export function describeServers(name: string, body: () => void): void {
  const reason = whyNoServers()
  if (reason === null) {
    describe(name, body)
    return
  }
  if (process.env.MAILWARDEN_REQUIRE_SERVERS === '1') {
    test(`${name}: the mail servers are here`, () => expect(reason).toBeNull())
    return
  }
  console.warn(`skipped: ${name}: ${reason}`)
  describe.skip(`${name} (skipped: ${reason})`, body)
}
