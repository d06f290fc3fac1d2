/** Mail hosts under a daemon: servers whose mail to `fuera.example` waits in the queue, and the lines that name them in a configuration. */
import { join } from 'node:path'
import type { Bench } from '../mail-hosts/bench.ts'
import { freePort } from '../support/free-port.ts'
import { type MailServers, startMailServers } from './mail-servers.ts'

const home = '127.0.0.1'

/** Nothing listens at `sinkPort`, and nothing is tried again by itself. */
export async function startWaitingServers(password: string): Promise<Bench & { readonly policyPort: number }> {
  const [policyPort, sinkPort] = [await freePort(), await freePort()]
  const servers = await startMailServers({
    policy: `${home}:${policyPort}`,
    doors: true,
    mainCf: [
      `transport_maps = inline:{ fuera.example=smtp:[${home}]:${sinkPort} }`,
      'queue_run_delay = 1h',
      'minimal_backoff_time = 1h',
    ],
  })
  return { servers, password, sinkPort, policyPort }
}

export const doveadmKey = ({ folder }: MailServers) => `{ file: ${join(folder, 'dv/doveadm-key')} }`
export const closedDomains = ({ folder }: MailServers) => join(folder, 'dv/closed-domains')

/** `mail: [imap1, mx1, …]`. @param more hosts, each as its line. */
export function mailLine(servers: MailServers, more: readonly string[] = []): string {
  const { folder, ports } = servers
  const url = `"http://${home}:${ports.doveadm}"`
  const dovecot = `{ kind: dovecot, name: imap1, url: ${url}, apiKey: ${doveadmKey(servers)}, denyFile: ${closedDomains(servers)} }`
  const postfix = `{ kind: postfix, name: mx1, configFolder: ${join(folder, 'pf/etc')} }`
  return `mail: [${[dovecot, postfix, ...more].join(', ')}]`
}
