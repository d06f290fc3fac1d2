/** What a stream of policy requests means, read whole and with no care for speed: the measure of the incremental reader. */
import type { PolicyRequest } from '../../agent/standards/policy-delegation.ts'

export type Reading = { readonly requests: readonly PolicyRequest[]; readonly ending: 'incomplete' | 'malformed' }

export function readNaively(bytes: Uint8Array): Reading {
  const requests: PolicyRequest[] = []
  let rest = Buffer.from(bytes).toString('latin1')
  for (;;) {
    const end = rest.indexOf('\n\n')
    const part = end < 0 ? rest : rest.slice(0, end)
    if (rest.startsWith('\n') || /[\0\r]/.test(part) || part.length > 65_536) return { requests, ending: 'malformed' }
    if (end < 0) {
      const isTooLong = (part.split('\n').at(-1) ?? '').length > 64 + 1 + 16_384
      return { requests, ending: isTooLong ? 'malformed' : 'incomplete' }
    }
    const request = toRequest(part)
    if (request === undefined) return { requests, ending: 'malformed' }
    requests.push(request)
    rest = rest.slice(end + 2)
  }
}

function toRequest(text: string): PolicyRequest | undefined {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z0-9_.-]{1,64})=(.{0,16384})$/s.exec(line)
    if (match === null || values.has(match[1] ?? '') || values.size === 128) return undefined
    values.set(match[1] ?? '', match[2] ?? '')
  }
  if (values.get('request') !== 'smtpd_access_policy') return undefined
  const value = (name: string) => values.get(name) ?? ''
  const address = (name: string) => Buffer.from(value(name), 'latin1').toString('utf8')
  return {
    state: value('protocol_state').toUpperCase(),
    clientAddress: value('client_address'),
    sender: address('sender'),
    recipient: address('recipient'),
    login: address('sasl_username'),
    instance: value('instance'),
  }
}
