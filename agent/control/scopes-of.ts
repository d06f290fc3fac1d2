/** What a name is a name of here: a domain, or an account under its address, an alias, or as administrator or collector. */
import type { HoldScope } from '../model/incident.ts'
import { type Address, domainOf, parseAddress, parseDomainName } from '../model/name.ts'
import type { World } from '../model/world.ts'

/** For many names of one world: strangers' logins are asked for by the thousand, and each costs one look-up. */
export function scopesOf(world: World): (text: string) => HoldScope | undefined {
  let aliases: ReadonlyMap<Address, Address> | null = null
  const indexed = () => {
    aliases ??= new Map(
      [...world.accounts.values()].flatMap(({ account }) =>
        account.aliases.map(alias => [alias, account.address] as const),
      ),
    )
    return aliases
  }
  return text => {
    const domain = parseDomainName(text)
    if (domain !== undefined) return world.domains.has(domain) ? { domain, account: null } : undefined
    const address = parseAddress(text)
    if (address === undefined) return undefined
    const known = world.accounts.has(address) ? address : indexed().get(address)
    const account = known === undefined ? undefined : world.accounts.get(known)?.account
    if (account !== undefined) return { domain: account.domain, account: account.address }
    const { domain: owner } = world.domains.get(domainOf(address)) ?? {}
    if (owner !== undefined && (owner.administrator === address || owner.collector === address))
      return { domain: owner.name, account: address }
    return undefined
  }
}
