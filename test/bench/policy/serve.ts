/**
 * The servers of the policy benchmark, each in a process of its own: `image ACCOUNTS FILE [ADDRESSES]` makes the tables, `ours
 * ADDRESS FILE` is the shipped service with them, `null ADDRESS` answers DUNNO and reads nothing. Prints one line when it is ready.
 */
import { createServer } from 'node:net'
import { buildImage } from '../../../agent/decision/image.ts'
import { readImage, writeImage } from '../../../agent/decision/image-file.ts'
import { startPolicyService } from '../../../agent/decision/service.ts'
import { worldOf } from './estate.ts'

const [, , role, first = '', second = '', third = ''] = process.argv

async function makeImage(accountsCount: number, file: string, more: readonly string[]): Promise<void> {
  const world = worldOf(accountsCount, more)
  const startedAt = performance.now()
  const image = buildImage(world)
  const buildMs = performance.now() - startedAt
  const { slots, entries, rows } = image.book
  const bytes = slots.byteLength + entries.byteLength + rows.byteLength
  await writeImage(file, image, { register: 'bench', size: 0 })
  console.log(JSON.stringify({ buildMs, bytes }))
}

async function serveOurs(address: string, file: string): Promise<void> {
  const fail = (error: unknown) => {
    console.error(error)
    process.exit(1)
  }
  const service = startPolicyService({ onTold: () => {}, onThrown: fail, onEnded: fail })
  const kept = await readImage(file)
  if (kept === undefined) throw new Error(`${file} is no image`)
  service.show(kept.withHolds([]))
  await service.listen([{ on: address, modes: {} }])
  console.log('ready')
  process.on('message', (holds: Parameters<typeof service.hold>[0]) => service.hold(holds))
}

/** As little as a policy server in Node can do: look for the ends of requests. */
function serveNothing(address: string): void {
  const server = createServer({ noDelay: true }, socket => {
    let rest = ''
    socket.on('error', () => socket.destroy())
    socket.on('data', bytes => {
      let text = rest + bytes.toString('latin1')
      let answers = ''
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        answers += 'action=DUNNO\n\n'
        text = text.slice(end + 2)
      }
      rest = text
      if (answers !== '') socket.write(answers)
    })
  })
  const ready = () => console.log('ready')
  if (address.startsWith('unix:')) server.listen(address.slice(5), ready)
  else server.listen(Number(address.split(':')[1]), '127.0.0.1', ready)
}

if (role === 'image') await makeImage(Number(first), second, third.split(',').filter(Boolean))
else if (role === 'ours') await serveOurs(first, second)
else serveNothing(first)
