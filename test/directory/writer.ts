/** A process of its own for the tests: creates a domain and accounts in a directory, and dies where a failpoint says so. */
import { systemClock } from '../../agent/core/system-clock.ts'
import { refOf } from '../../agent/model/resource.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import { openEmbeddedDirectory } from '../../providers/embedded-directory/directory.ts'
import { account, domain } from '../conformance/samples.ts'

const [file = '', name = '', count = '1'] = process.argv.slice(2)
const accounts = Array.from({ length: Number(count) }, (_, index) => account(`u${index}@${name}`))
await using directory = await openEmbeddedDirectory({ file, clock: systemClock })
const changes = [domain(name), ...accounts].map(after => {
  const ref = refOf(after)
  const change = { action: 'create', ref, before: null, after, why: 'manifest', source: null } as const
  return { change, mark: markOf('here', ref) }
})
for await (const { result, detail } of directory.apply(changes, new AbortController().signal))
  if (result !== 'applied') console.log(result, detail)
