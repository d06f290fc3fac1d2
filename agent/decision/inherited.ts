/**
 * Sockets that whoever started us listens on already (sd_listen_fds(3)): they stay open while we are started anew, and who
 * connects meanwhile waits instead of being refused. Pure.
 */

/** The first one, after standard input, output and error. */
const firstDescriptor = 3
const nameForm = /^[A-Za-z0-9_.-]+$/

type Environment = Readonly<Partial<Record<string, string>>>

/**
 * Descriptors by name, in order; none where they are not meant for this process.
 * @param process its number, and its parent's: the launcher passes on what was meant for it, and writes `parent` for it.
 */
export function inheritedSockets(
  { LISTEN_PID: meant, LISTEN_FDS: count, LISTEN_FDNAMES: names = '' }: Environment,
  process: { readonly pid: number; readonly ppid: number },
): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>()
  if (meant !== String(process.pid) && meant !== `parent:${process.ppid}`) return found
  const total = /^\d{1,3}$/.test(count ?? '') ? Number(count) : 0
  const named = names.split(':')
  for (let index = 0; index < total; index += 1) {
    const name = named[index] ?? ''
    if (!nameForm.test(name)) continue
    found.set(name, [...(found.get(name) ?? []), firstDescriptor + index])
  }
  return found
}
