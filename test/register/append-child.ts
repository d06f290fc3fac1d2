/** Appends to the register of a folder as fast as it can, or `count` times, and prints each acknowledged index. */
import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { openSqliteRegister } from '../../agent/register/sqlite.ts'
import { sampleEntry, stateIn } from './fixture.ts'

const [folder = '', count = 'Infinity'] = process.argv.slice(2)
await using register = await openSqliteRegister({
  ...stateIn(folder),
  random: randomBytes,
  clock: { now: () => Date.now(), sleep: async () => {} },
})
if (!register.trust.ok) throw new Error(JSON.stringify(register.trust.findings))
const append = async (lanes: number) => {
  for (let done = 0; done < Number(count); done++) {
    const stored = await register.append(Array.from({ length: lanes }, () => sampleEntry(register.size % 50)))
    // Synchronous: what the parent reads was acknowledged before the kill, whatever the event loop was at.
    writeSync(1, stored.map(({ index }) => `${index}\n`).join(''))
  }
}
if (count === 'Infinity') await Promise.all([append(1), append(1), append(2), append(3)])
else await append(1)
