/** Somebody else with the same API: writes one object, gives new ones no mark and leaves the marks that stand. */
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { toContent } from '../../providers/powerdns/content.ts'
import type { Pdns } from '../servers/pdns.ts'

export async function writeBehind(pdns: Pdns, resource: DnsResource, value: DnsResource | null): Promise<void> {
  const apex = resource.kind === 'zone' ? resource.apex : resource.zone
  const path = `/zones/${apex}.`
  if (resource.kind === 'zone') {
    if (value === null) return done(await pdns.api('DELETE', path), 204)
    return done(await pdns.api('POST', '/zones', { name: `${apex}.`, kind: 'Native', nameservers: [] }), 201)
  }
  const target = { name: `${resource.owner}.`, type: resource.type }
  const content = (text: string) => toContent(resource.type, text, 2026010101) ?? ''
  const rrset =
    value?.kind === 'rrset'
      ? {
          ...target,
          changetype: 'REPLACE',
          ttl: value.ttl,
          records: value.values.map(text => ({ content: content(text), disabled: false })),
        }
      : { ...target, changetype: 'DELETE' }
  return done(await pdns.api('PATCH', path, { rrsets: [rrset] }), 204)
}

function done({ status, json }: { readonly status: number; readonly json: unknown }, wanted: number): void {
  if (status !== wanted) throw new Error(`the API answered ${status}: ${JSON.stringify(json)}`)
}
