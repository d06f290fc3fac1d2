/** A suite over real servers: run where they are, skipped with its reason printed where not, failed where they must be. */
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

// A run that is broken off, or whose test hangs, gets SIGTERM, on which Node ends without a word. Servers are stopped by
// listeners of `exit`, so it has to come to that.
process.once('SIGTERM', () => process.exit(143))

/** @param whyNot why it cannot run here; null when it can. */
export function describeServers(name: string, whyNot: () => string | null, body: () => void): void {
  const reason = whyNot()
  if (reason === null) {
    describe(name, body)
    return
  }
  if (process.env.MAILWARDEN_REQUIRE_SERVERS === '1') {
    test(`${name}: its servers are here`, () => expect(reason).toBeNull())
    return
  }
  console.warn(`skipped: ${name}: ${reason}`)
  describe.skip(`${name} (skipped: ${reason})`, body)
}

/** Why a suite cannot run that needs these programs and files; null when all are there. */
export function absentOf(files: readonly string[]): string | null {
  const absent = files.filter(file => !existsSync(file))
  return absent.length > 0 ? `not installed: ${absent.join(', ')}` : null
}
