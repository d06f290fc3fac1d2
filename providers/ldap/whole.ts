/**
 * All that stands at and below a base, or a ProviderFailure. It is read page by page, then looked over by a second
 * reading of another shape: names alone, without pages. What only the second shows is asked for by itself, so a page
 * that ended early, an entry that fell out, a replica that is being filled are seen, whatever the server calls a
 * success. What a server leaves out of every answer nobody can see. RFC 2696 (an empty page is not the last one; slapd's
 * size limit counts across pages).
 */

import { anything, ask, askEntry, brokenOff, malformed, refuseCutEntry, type Session } from './ask.ts'
import type { Answered, Entry, LdapClient } from './client.ts'
import { splitDn } from './dn.ts'
import { eachBounded } from './pool.ts'

/** As many as one answer may hold; between two pages a read can be broken off. */
const pageEntries = 1_000
/** Pages on end that bring nothing new; a server that goes on like that never ends. */
const idlePagesMax = 10
/** More of them than this, and all is read again. */
const askedAloneMax = 100
const readingsMax = 3

/** @returns undefined when nothing stands at the base. @throws ProviderFailure */
export async function readWhole(
  session: Session,
  base: string,
  signal: AbortSignal,
  attributes = session.attributes,
): Promise<readonly Entry[] | undefined> {
  for (let reading = 1; reading <= readingsMax; reading += 1) {
    const found = await readPages(session, base, signal, attributes)
    if (found === undefined) return undefined
    const names = await readNames(session, base, signal)
    const missed = names?.filter(dn => !found.has(dn)) ?? []
    if (names === undefined || missed.length > askedAloneMax) continue
    await eachBounded(missed, session.pool.places, async dn => {
      const entry = await askEntry(session, dn, signal, attributes)
      if (entry !== undefined) found.set(dn, entry)
    })
    for (const entry of found.values()) refuseCutEntry(session, entry, attributes)
    return [...found.values()]
  }
  throw malformed(`${readingsMax} times, two readings of ${base} did not show the same entries`)
}

async function readPages(
  session: Session,
  base: string,
  signal: AbortSignal,
  attributes: readonly string[],
): Promise<Map<string, Entry> | undefined> {
  const whole = async (client: LdapClient): Promise<Answered<Map<string, Entry>>> => {
    const found = new Map<string, Entry>()
    let cookie: Buffer = Buffer.alloc(0)
    for (let idle = 0; idle <= idlePagesMax; ) {
      if (signal.aborted) throw brokenOff(signal)
      const page = { size: pageEntries, cookie }
      const answered = await client.search({ base, scope: 'sub', filter: anything, attributes, page })
      if (answered.kind !== 'done') return answered
      const before = found.size
      // Under the same name the later one: it went and came back while we read.
      for (const entry of answered.value.entries) found.set(entry.dn, entry)
      idle = found.size === before ? idle + 1 : 0
      if (answered.value.cookie === undefined) throw malformed('the directory did not say whether a page was its last')
      cookie = answered.value.cookie
      if (cookie.length === 0) return { kind: 'done', value: found }
    }
    throw malformed('the directory gives pages without end')
  }
  const found = await ask(session.pages, session.bindDn, whole, signal)
  if (found !== undefined) refuseWithoutBase(found.keys(), base)
  return found
}

async function readNames(session: Session, base: string, signal: AbortSignal): Promise<string[] | undefined> {
  const question = { base, scope: 'sub', filter: anything, attributes: ['1.1'] } as const
  const found = await ask(session.pool, session.bindDn, client => client.search(question), signal)
  const names = found?.entries.map(({ dn }) => dn)
  if (names !== undefined) refuseWithoutBase(names, base)
  return names
}

/** Everything else found stands below the base, so the base is what has as many parts. */
export function refuseWithoutBase(names: Iterable<string>, base: string): void {
  const depth = splitDn(base).length
  for (const dn of names) if (splitDn(dn).length === depth) return
  throw malformed(`the directory left ${base} itself out of its answer`)
}
