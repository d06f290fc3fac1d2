/** A process that applies one small batch to the file it is told, to be killed on the way (see `provider.test.ts`). */
import { openEmbeddedDns } from '../../providers/embedded-dns/dns.ts'
import { applyAll, create, soa, testClock, zone } from './bench.ts'

const dns = await openEmbeddedDns({ file: process.argv[2] ?? '', clock: testClock })
await applyAll(dns, [create(zone('a.example')), create(soa('a.example'))])
await dns.close()
