/** A process of its own for the tests: creates a domain and accounts in a directory, and dies where a failpoint says so. */
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Address, DomainName } from '../../agent/model/name.ts'
import { type DirectoryAccount, type DirectoryDomain, refOf } from '../../agent/model/resource.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import { openEmbeddedDirectory } from '../../providers/embedded-directory/directory.ts'

const [file = '', name = '', count = '1'] = process.argv.slice(2)
const domain: DirectoryDomain = {
  provider: 'directory',
  kind: 'domain',
  key: name,
  domain: name as DomainName,
  institution: 'hospital',
  delivery: 'mailboxes',
  login: 'active',
  collection: 'active',
  nextHop: null,
}
const accounts = Array.from({ length: Number(count) }, (_, index): DirectoryAccount => {
  const address = `u${index}@${name}` as Address
  return {
    provider: 'directory',
    kind: 'account',
    key: address,
    address,
    domain: name as DomainName,
    role: 'user',
    status: 'active',
    allowNets: null,
    quotaBytes: 0,
    aliases: [],
  }
})
await using directory = await openEmbeddedDirectory({ file, clock: systemClock })
const changes = [domain, ...accounts].map(after => {
  const ref = refOf(after)
  const change = { action: 'create', ref, before: null, after, why: 'manifest', source: null } as const
  return { change, mark: markOf('here', ref) }
})
for await (const { result, detail } of directory.apply(changes, new AbortController().signal))
  if (result !== 'applied') console.log(result, detail)
