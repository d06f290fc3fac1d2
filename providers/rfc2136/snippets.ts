/** What BIND and Knot need: the key, who may use it, where our zones stand. Templates in `config/bind`, `config/knot`. */
import type { TsigKey } from '../../agent/standards/tsig.ts'
import { checkValues, fill, readTemplate, type Snippet } from '../snippets.ts'

const base64 = /^[A-Za-z0-9+/]+={0,2}$/
const files = { bind: 'bind/mailwarden.conf', knot: 'knot/mailwarden.knotc' } as const

/**
 * @param include BIND: the absolute path of the file with our zones.
 * @throws ProviderFailure `unsupported` for a value that the file could not hold.
 */
export function renderRfc2136Snippets(site: {
  readonly server: keyof typeof files
  readonly key: TsigKey
  readonly include: string
}): Snippet[] {
  const { server, key, include } = site
  checkValues({ name: key.name, include })
  checkValues({ secret: key.secret.reveal() }, base64)
  const placeholders = {
    KEY_NAME: key.name,
    KEY_ALGORITHM: key.algorithm,
    KEY_SECRET: key.secret.reveal(),
    INCLUDE: include,
  }
  return [{ path: files[server], text: fill(readTemplate(files[server]), placeholders), access: 'private' }]
}
