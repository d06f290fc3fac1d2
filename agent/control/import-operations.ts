/** `import`: what stands in the configured systems, read whole, for manifests to be made of it. It changes nothing. */
import { formatRef, refOf } from '../model/resource.ts'
import type { Operation, OperationRow } from './operation.ts'
import { failed } from './protocol.ts'

/** Domains here need no manifest: that they have none is why somebody imports them. */
const importOperation: Operation = async (args, { engine, signal }) => {
  const names = Array.isArray(args['domains']) ? args['domains'].filter(name => typeof name === 'string') : []
  const systems = args['systems']
  if (!Array.isArray(systems) || systems.some(name => name !== 'dns' && name !== 'directory'))
    return failed(64, 'import reads dns or directory')
  const scope = names.length === 0 ? 'all' : { domains: names }
  const found = await Promise.all(
    [...engine.parts.providers.values()]
      .filter(provider => systems.includes(provider.name))
      .map(provider => provider.observe(scope, signal)),
  )
  const resources = found.flat().map(({ resource }) => resource)
  const key = (resource: (typeof resources)[number]) => formatRef(refOf(resource))
  resources.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
  return { exit: 0, json: { version: 1, resources } }
}

export const importOperations: readonly (readonly [string, OperationRow])[] = [
  ['import', { run: importOperation, changes: () => false }],
]
