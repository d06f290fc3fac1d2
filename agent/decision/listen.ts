/**
 * Addresses that the policy service listens on: `host:port`, `[::1]:port`, `unix:/path`, `systemd:name`. A stale unix socket
 * is replaced.
 */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { createConnection, type Server } from 'node:net'

export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  /** Sockets that are open already, under this name; see `inherited.ts`. */
  | { readonly kind: 'systemd'; readonly name: string }

/** Postfix connects with each of its processes at once after a restart: a short queue would stall a burst for seconds. */
const backlog = 512
/** Owner and group: Postfix gets in through the group, other users of the host do not. */
const socketMode = 0o660

export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length)
    return path === '' ? undefined : { kind: 'unix', path }
  }
  const [, name] = /^systemd:([A-Za-z0-9_.-]+)$/.exec(text) ?? []
  if (name !== undefined) return { kind: 'systemd', name }
  const [, bracketed, plain, portText] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(portText)
  return host === undefined || port > 65_535 ? undefined : { kind: 'tcp', host, port }
}

/** @throws what the system says: the address is in use, the folder is not there, permission denied. */
export async function listenOn(server: Server, address: Exclude<ListenAddress, { kind: 'systemd' }>): Promise<void> {
  if (address.kind === 'tcp') return listenOnce(server, { host: address.host, port: address.port, backlog })
  try {
    await listenOnce(server, { path: address.path, backlog })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !(await isStale(address.path))) throw error
    unlinkSync(address.path)
    await listenOnce(server, { path: address.path, backlog })
  }
  // Until here only the owner may connect: the usual umask takes the right to write from group and others.
  chmodSync(address.path, socketMode)
}

/** @param fd of a socket that somebody else opened, and who may use it. */
export function listenOnDescriptor(server: Server, fd: number): Promise<void> {
  return listenOnce(server, { fd, backlog })
}

function listenOnce(
  server: Server,
  options: { host?: string; port?: number; path?: string; fd?: number; backlog: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** True for a socket that nobody answers behind: left over from a process that was killed. */
async function isStale(path: string): Promise<boolean> {
  if (!lstatSync(path).isSocket()) return false
  return new Promise(resolve => {
    const probe = createConnection(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', error => resolve((error as NodeJS.ErrnoException).code === 'ECONNREFUSED'))
  })
}

/** As an operator writes it, with the port that was given for port 0. */
export function formatAddress(server: Server): string {
  const address = server.address()
  if (address === null) return ''
  if (typeof address === 'string') return `unix:${address}`
  return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`
}
