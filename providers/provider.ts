/**
 * The one interface between mailwarden and a system that it provisions. A provider reads all of a scope or throws,
 * writes what it is told, and says truthfully what became of each change. It decides nothing.
 */
import type { Diagnostic } from '../agent/core/diagnostic.ts'
import type { Digest } from '../agent/core/digest.ts'
import type { Change, Outcome } from '../agent/model/change.ts'
import type { HoldScope } from '../agent/model/incident.ts'
import type { Address, DomainName } from '../agent/model/name.ts'
import type { Kind, ProviderName, Ref, Resource, RRsetResource } from '../agent/model/resource.ts'
import type { Seen } from '../agent/model/verify.ts'

/** `all`, or the domains named (each with everything below it). */
export type Scope = 'all' | { readonly domains: readonly string[] }

/** Who wrote an object last, in the words of its system, and when (ms since 1970). A DN may name a person. */
export type LastWriter = { readonly by: string; readonly at: number }

/**
 * What stands in the system. `mark` is the ownership mark found on the object, null when there is none. `writer` only
 * where the system itself keeps it, and only when it was not us.
 */
export type Observed<R extends Resource = Resource> = {
  readonly resource: R
  readonly mark: string | null
  readonly writer?: LastWriter
}

export type FailureKind =
  | 'unreachable'
  | 'timeout'
  | 'unauthorized'
  | 'rejected'
  | 'conflict'
  | 'unsupported'
  | 'malformed-reply'

/** The only class that providers throw on purpose. `message` is for people, `cause` for the log. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure'
  readonly kind: FailureKind
  readonly retry: 'later' | 'never'
  /** Of a read: the domains that alone could not be read. Everything else of the scope can; null where nothing can. */
  readonly domains: readonly string[] | null

  constructor(
    kind: FailureKind,
    message: string,
    options: { retry: 'later' | 'never'; cause?: unknown; domains?: readonly string[] },
  ) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.retry = options.retry
    this.domains = options.domains ?? null
  }
}

/** A change together with the mark to leave on the object (see `plan/ownership.ts`). */
export type MarkedChange<R extends Resource = Resource> = {
  readonly change: Change<R>
  readonly mark: string
  /**
   * The object carries no mark and gets ours: an update whose `before` and `after` are what stands. An object that
   * carries somebody's mark is never adopted.
   */
  readonly adopt?: true
}

export interface Provider<R extends Resource = Resource> extends AsyncDisposable {
  readonly name: ProviderName
  readonly kinds: readonly Kind[]
  /** What the plan is for, part of its digest: `embedded-directory:./var/directory.db`. */
  readonly target: string
  /** Pure: what this backend cannot hold. */
  check(resource: R): readonly Diagnostic[]
  /** Pure and idempotent: equal things become identical. */
  canonical(resource: R): R
  /** All of the scope, or throws ProviderFailure; never a partial answer. Objects that are not ours are included. */
  observe(scope: Scope, signal: AbortSignal): Promise<readonly Observed<R>[]>
  /**
   * One outcome per change, in any order. A change whose `before` no longer stands ends as `conflict`; the neighbour
   * goes on. After an abort every change not yet begun ends as `skipped`.
   */
  apply(changes: readonly MarkedChange<R>[], signal: AbortSignal): AsyncIterable<Outcome>
  /** A hint that somebody wrote to the system; undefined where it cannot be known. */
  foreignWrites?(signal: AbortSignal): AsyncIterable<void>
  /** Of a directory: what lets people in, apart from all else that stands there. */
  readonly doors?: Doors<R>
}

/** For a suspension, which does not wait for a pass over thousands of entries (contract section 6). */
export interface Doors<R extends Resource = Resource> {
  /** The entries themselves; what does not stand is left out. @throws ProviderFailure */
  read(refs: readonly Ref[], signal: AbortSignal): Promise<readonly Door<R>[]>
  /** As `apply`, of entries that stand: one write each, and none of what follows from it elsewhere. */
  write(changes: readonly MarkedChange<R>[], signal: AbortSignal): AsyncIterable<Outcome>
}

/** `isWhole`: nothing follows from it elsewhere. Else `observe` tells of it as drift until a pass has seen to that. */
export type Door<R extends Resource = Resource> = Observed<R> & { readonly isWhole: boolean }

/** Passwords are written, never compared: they belong to their holders. */
export interface CredentialStore {
  /** @param hash in a scheme that the mail server verifies, with its `{SCHEME}` prefix. */
  setCredential(address: string, hash: string, changedAt: number): Promise<void>
  /** Address to the instant (ms) of its last password change; accounts without a password are left out. */
  credentialChanges(domain: string): Promise<ReadonlyMap<string, number>>
}

/** A message for a person, ready to leave; its id makes a repeat recognisable as the same one. */
export type OutgoingNotice = {
  /** Stable and safe as a file name: `INC-2026-0001.declared.director`. */
  readonly id: string
  /** Null: nobody can be reached by mail, so it is printed and carried. */
  readonly to: string | null
  readonly toName: string
  readonly from: string
  readonly subject: string
  readonly text: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** How notices leave. Sending one twice is harmless: the id is the same. */
export interface Notifier {
  send(notice: OutgoingNotice): Promise<void>
}

/**
 * Looks at the platform as people do who use it. It never throws, changes nothing but the one message of a delivery, and
 * never claims more than a server said.
 */
export interface Prober {
  /** Whether every name server gives out the same serial and these RRsets. */
  zone(zone: DomainName, rrsets: readonly RRsetResource[], signal: AbortSignal): Promise<Seen>
  /** @param door name of a door of the configuration. @param from the address that the client says to have. */
  login(door: string, account: Address, from: string, signal: AbortSignal): Promise<LoginAnswer>
  /** A message of the account to itself: submitted, found in the mailbox, deleted. */
  delivery(account: Address, from: string, signal: AbortSignal): Promise<Seen>
}

/** `refused` is said of credentials only; `detail` is for people, in the server's words where it spoke. */
export type LoginAnswer = { readonly result: 'accepted' | 'refused' | 'unreachable'; readonly detail: string }

/** What a mail server keeps open beyond the directory, and a hold must close (contract section 6). */
export const mailDoors = ['sessions', 'caches', 'queue'] as const
export type MailDoor = (typeof mailDoors)[number]

/**
 * How a door stands for a scope. `open`: sessions that live, or messages that a queue would still deliver, that name the
 * scope; null where it can't be counted (a cache is flushed, not listed).
 */
export type DoorState = {
  readonly door: MailDoor
  readonly open: number | null
  /** Messages that we hold for this scope. */
  readonly held: number
  /** Messages of the scope that somebody else put on hold, or we for another scope: `open` leaves them there. */
  readonly heldByOthers?: number
}

/** A message in a queue, without its content. */
export type QueuedMessage = {
  readonly id: string
  readonly queue: string
  /** Milliseconds since 1970. */
  readonly arrivedAt: number
  readonly bytes: number
  /** Empty for a bounce. */
  readonly sender: string
  readonly recipients: readonly { readonly address: string; readonly reason: string | null }[]
}

/** A parameter of a mail server that is not as it has to be. */
export type HostFinding = {
  /** Stable: `policy-slow`. */
  readonly code: string
  readonly parameter: string
  readonly found: string
  readonly wanted: string
}

/** Domains whose logins are refused on a host, as far as we closed them. All of it is safe to repeat. @throws ProviderFailure */
export interface DomainLogins {
  closed(): Promise<readonly DomainName[]>
  close(domains: readonly DomainName[]): Promise<readonly DomainName[]>
  open(domains: readonly DomainName[]): Promise<readonly DomainName[]>
}

/**
 * One Postfix or Dovecot host, for what takes effect at once and stands in no manifest. All of it is safe to repeat; it
 * never deletes mail and never touches another scope. @throws ProviderFailure
 */
export interface MailHost extends AsyncDisposable {
  /** Of the configuration: `imap1`. */
  readonly name: string
  readonly target: string
  /** The doors that this host has. */
  readonly doors: readonly MailDoor[]
  observe(scope: HoldScope, signal: AbortSignal): Promise<readonly DoorState[]>
  /** Closes the doors named and looks again: what it gives is what stands afterwards, never what was asked for. */
  close(scope: HoldScope, doors: readonly MailDoor[], signal: AbortSignal): Promise<readonly DoorState[]>
  /** What in the host's configuration keeps the levers from working; changes nothing. Absent where nothing is known of it. */
  examine?(signal: AbortSignal): Promise<readonly HostFinding[]>
  /** Live sessions of a scope by user name; absent where the host keeps none. */
  sessions?(scope: HoldScope, signal: AbortSignal): Promise<ReadonlyMap<string, number>>
  /** Whose sessions of a scope `close` ended last, as far as this process remembers; ms since 1970. Asks nobody. */
  sessionsEnded?(scope: HoldScope): readonly { readonly user: string; readonly sessions: number; readonly at: number }[]
  /** What of a scope waits in its queue, held or not, without content; absent where the host has none. */
  messages?(scope: HoldScope, signal: AbortSignal): Promise<readonly QueuedMessage[]>
  /** How many messages wait, by the domain of their sender; what is held is not counted. Absent where the host has no queue. */
  waiting?(signal: AbortSignal): Promise<ReadonlyMap<string, number>>
  /** Closes every login of a domain by one line, beside the directory; absent where the host has no such file. */
  readonly logins?: DomainLogins
  /**
   * Lets held mail of the scope go on; a host without a queue has nothing to open.
   * @param mayGo which of it; then the caller answers for other scopes, too. Absent: all but what waits for another scope.
   */
  open(
    scope: HoldScope,
    doors: readonly MailDoor[],
    signal: AbortSignal,
    mayGo?: (message: QueuedMessage) => boolean,
  ): Promise<readonly DoorState[]>
  /** Absent where no mail waits. */
  readonly heldMail?: HeldMailDoor
}

/** One message in a queue. Short ids are used again: only with its arrival it is the same one. */
export type MessageName = Pick<QueuedMessage, 'id' | 'arrivedAt'>

/** A message as evidence: what its envelope says, and what its headers come to. */
export type MessageEvidence = QueuedMessage & { readonly headers: Digest }

/** The messages that we hold on a host, one by one. Their content is never read, only headers are digested. @throws ProviderFailure */
export interface HeldMailDoor {
  /** Held by us and of the scope, whichever scope they were held for. */
  list(scope: HoldScope, signal: AbortSignal): Promise<readonly QueuedMessage[]>
  /** Those of them that are still there and the same messages, with the digest of their headers as Postfix has them. */
  evidence(scope: HoldScope, chosen: readonly MessageName[], signal: AbortSignal): Promise<readonly MessageEvidence[]>
  /**
   * Deletes exactly these, for good: each is looked at again first, and one that is not the message that was seen, headers
   * included, stays. @returns what was deleted, and how the queue stands.
   */
  purge(
    scope: HoldScope,
    seen: readonly MessageEvidence[],
    signal: AbortSignal,
  ): Promise<{ readonly purged: readonly MessageName[]; readonly state: DoorState }>
}

/** The mailbox that abuse reports come to: people read it too, and nothing is removed from it. */
export interface ReportMailbox {
  /**
   * Has `take` say what is done with what was not read yet, oldest first, of each at most so many octets; only then is it
   * marked as read. `more`: another call has more to read. @throws ProviderFailure
   */
  read(
    octetsMax: number,
    take: (messages: readonly Buffer[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ readonly count: number; readonly more: boolean }>
}

/** `error`: the list answered, and not about the subject. `unknown`: nothing came, or no answer. */
export type BlocklistAnswer = {
  readonly result: 'listed' | 'clear' | 'error' | 'unknown'
  /** In the list’s own addresses, or why nothing is known. */
  readonly detail: string
}

/** DNS blocklists, through one resolver. */
export interface Blocklists {
  /** @param subject an address or a domain. Never throws. */
  ask(zone: string, subject: string, signal: AbortSignal): Promise<BlocklistAnswer>
}
