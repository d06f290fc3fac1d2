/** The lines that PowerDNS needs; template in `config/powerdns`. It writes nothing, and sees the key's hash alone. */
import { checkValues, fill, readTemplate, type Snippet } from '../snippets.ts'

export type PowerDnsSnippetValues = {
  /** As PowerDNS keeps it: `$scrypt$…`. */
  readonly keyHash: string
  /** Where the API listens, and the networks (CIDR, with commas) that it answers. */
  readonly address: string
  readonly port: string
  readonly from: string
}

const debianValues = { address: '127.0.0.1', port: '8081', from: '127.0.0.1' } as const
const hash = /^\$scrypt\$[A-Za-z0-9$=,+/]+$/

/** @throws ProviderFailure `unsupported` for a value that the file could not hold. */
export function renderPowerDnsSnippets(
  site: Pick<PowerDnsSnippetValues, 'keyHash'> & Partial<PowerDnsSnippetValues>,
): Snippet[] {
  const { keyHash, ...values }: PowerDnsSnippetValues = { ...debianValues, ...site }
  checkValues({ keyHash }, hash)
  checkValues(values)
  const placeholders = {
    API_KEY_HASH: keyHash,
    API_ADDRESS: values.address,
    API_PORT: values.port,
    API_FROM: values.from,
  }
  const path = 'powerdns/mailwarden.conf'
  return [{ path, text: fill(readTemplate(path), placeholders), access: 'private' }]
}
