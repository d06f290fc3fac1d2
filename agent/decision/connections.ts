/**
 * Who is connected to the policy service, and who may be: bounded in all and per address. When an address is full, its
 * connection that never asked anything for the longest time makes room, so that idle sockets cannot keep Postfix out.
 */
import type { Socket } from 'node:net'
import type { RequestReader } from '../standards/policy-delegation.ts'

/** Postfix keeps up to 100 connections per smtpd service; a large site has a dozen services on a few hosts. */
export const connectionsMax = 4096
/** All of a host's services together; over unix sockets there is one address. */
export const connectionsPerAddressMax = 1024
/** Requests in pieces, over all connections. More is an attack: whole requests need no room at all. */
export const pendingMax = 32 * 1024 * 1024

export type Connection = {
  readonly socket: Socket
  readonly address: string
  readonly reader: RequestReader
  /** Monotonic, of the last byte. */
  lastAt: number
  /** Monotonic, when the unfinished request began; undefined between requests. */
  partialSince: number | undefined
  /** As counted in `pending`. */
  pending: number
  /** It has asked, and was answered. */
  asked: boolean
  /** Nothing more is read from it. */
  closing: boolean
  /** What it asks is to be answered in this turn. */
  waiting: boolean
}

export interface Connections extends Iterable<Connection> {
  /** False when there is no room, even after somebody silent has made some. */
  admit(connection: Connection): boolean
  remove(connection: Connection): void
  markAsked(connection: Connection): void
  /** Keeps the sum; false when there is too much in pieces altogether. */
  holdPending(connection: Connection, characters: number): boolean
  readonly size: number
}

export function createConnections(limits: { readonly max: number; readonly perAddressMax: number }): Connections {
  const all = new Set<Connection>()
  const counts = new Map<string, number>()
  /** By address, oldest first. */
  const silent = new Map<string, Set<Connection>>()
  let pending = 0

  function remove(connection: Connection): void {
    if (!all.delete(connection)) return
    pending -= connection.pending
    const count = (counts.get(connection.address) ?? 1) - 1
    if (count === 0) counts.delete(connection.address)
    else counts.set(connection.address, count)
    leaveSilent(connection)
  }

  function leaveSilent(connection: Connection): void {
    const ofAddress = silent.get(connection.address)
    ofAddress?.delete(connection)
    if (ofAddress?.size === 0) silent.delete(connection.address)
  }

  function makeRoom(address: string): boolean {
    const [oldest] = silent.get(address) ?? []
    if (oldest === undefined) return false
    remove(oldest)
    oldest.socket.destroy()
    return true
  }

  return {
    admit(connection) {
      const { address } = connection
      const isFull = all.size >= limits.max || (counts.get(address) ?? 0) >= limits.perAddressMax
      if (isFull && !makeRoom(address)) return false
      all.add(connection)
      counts.set(address, (counts.get(address) ?? 0) + 1)
      const ofAddress = silent.get(address) ?? new Set()
      silent.set(address, ofAddress.add(connection))
      return true
    },
    remove,
    markAsked(connection) {
      if (connection.asked) return
      connection.asked = true
      leaveSilent(connection)
    },
    holdPending(connection, characters) {
      if (!all.has(connection)) return true
      pending += characters - connection.pending
      connection.pending = characters
      return pending <= pendingMax
    },
    get size() {
      return all.size
    },
    [Symbol.iterator]: () => all[Symbol.iterator](),
  }
}
