/**
 * Reads the logins that Dovecot logs and puts signs of misuse on record. Where an account may log in is what the directory
 * is told, so a success outside is a door that stands open or a list that was changed behind our back. What happened before
 * the end of an incident says nothing after it.
 */

import { buildNetworkSet, contains, type NetworkSet } from '../decision/network.ts'
import { desired } from '../desired/desired.ts'
import { followFile } from '../detection/follow.ts'
import { type LoginAttempt, loginSigns, readLogin } from '../detection/logins.ts'
import { endedAt } from '../detection/respond.ts'
import type { LoginsConfig } from '../model/detection.ts'
import type { HoldScope } from '../model/incident.ts'
import type { Ip } from '../model/ip.ts'
import type { DomainName } from '../model/name.ts'
import type { World } from '../model/world.ts'
import type { Engine } from '../reconcile/engine.ts'
import { createLineReader } from '../replay/lines.ts'
import { raiseSign } from './raise-sign.ts'
import { scopesOf } from './scopes-of.ts'

const hourMs = 3_600_000
/** Of one hour; beyond it the oldest are forgotten. */
const attemptsMax = 50_000

export type LoginWatch = { check(): Promise<void> }

export function createLoginWatch({
  engine,
  config,
}: {
  readonly engine: Engine
  readonly config: LoginsConfig
}): LoginWatch {
  const { clock, log } = engine.parts
  const followers = config.logs.map(file => ({ file, follower: followFile(file) }))
  // A log that is read here was written here, in the zone of this machine, whatever the operator's is.
  const reader = createLineReader(new Intl.DateTimeFormat().resolvedOptions().timeZone)
  const proxies = buildNetworkSet(config.proxies)
  let attempts: LoginAttempt[] = []
  let looks = 0
  const troubled = new Set<string>()

  async function readNew(): Promise<boolean> {
    const before = attempts.length
    const now = clock.now()
    for (const { file, follower } of followers)
      try {
        for (const line of await follower.read()) {
          const attempt = readLogin(reader, line, now)
          // What was added since the last look is of now, whatever a clock elsewhere says.
          if (attempt !== undefined) attempts.push(looks === 0 ? attempt : { ...attempt, at: now })
        }
        troubled.delete(file)
      } catch (error) {
        // Once, until it can be read again.
        if (!troubled.has(file)) log.write('error', 'a log of logins can’t be read', { file, error: String(error) })
        troubled.add(file)
      }
    looks += 1
    return attempts.length > before
  }

  async function look(): Promise<void> {
    const isNew = await readNew()
    const now = clock.now()
    attempts = attempts.filter(({ at }) => now - at < hourMs).slice(-attemptsMax)
    if (!isNew) return
    const world = engine.world()
    const scopeOf = scopesOf(world)
    const mayCome = createPlaces(world, scopeOf)
    const since = (scope: HoldScope | undefined) =>
      scope === undefined ? 0 : endedAt(engine.history.incidents, { domain: scope.domain, account: scope.account })
    const live = attempts.filter(({ user, at }) => at > since(scopeOf(user)))
    for (const sign of loginSigns(live, { mayCome, isProxy: ip => contains(proxies, ip) })) {
      await raiseSign(engine, sign, { window: hourMs, quiet: hourMs })
    }
  }

  let running: Promise<void> | null = null
  return {
    check() {
      running ??= look()
        .catch((error: unknown) => {
          log.write('error', 'logins were not read', { error: error instanceof Error ? error.stack : String(error) })
        })
        .finally(() => {
          running = null
        })
      return running
    },
  }
}

/** Where each account may log in, as the directory is told; the domains are worked out as they are asked for. */
function createPlaces(
  world: World,
  scopeOf: (text: string) => HoldScope | undefined,
): (account: string, client: Ip) => boolean | undefined {
  const domains = new Map<DomainName, ReadonlyMap<string, NetworkSet | null>>()
  const placesOf = (domain: DomainName) => {
    const known = domains.get(domain)
    if (known !== undefined) return known
    const places = new Map<string, NetworkSet | null>()
    for (const { resource } of desired(world, { domains: [domain] }).values())
      if (resource.kind === 'account')
        places.set(resource.address, resource.allowNets === null ? null : buildNetworkSet(resource.allowNets))
    domains.set(domain, places)
    return places
  }
  return (account, client) => {
    const scope = scopeOf(account)
    if (scope === undefined || scope.account === null) return undefined
    const networks = placesOf(scope.domain).get(scope.account)
    return networks === undefined ? undefined : networks === null || contains(networks, client)
  }
}
