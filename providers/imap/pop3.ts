/**
 * Whether a login by POP3 works (RFC 1939, STLS of RFC 2595, response codes of RFC 2449 and 3206): USER and PASS, then
 * QUIT. It reads no message and deletes none.
 */
import { LineConnection } from './line.ts'
import { type LoginProbe, type LoginResult, probeLogin, shown } from './probe.ts'

/** RFC 3206 section 4: AUTH is about the credentials; SYS/TEMP, SYS/PERM, IN-USE and LOGIN-DELAY are not. */
const refusal = /^-ERR \[AUTH\]/i

export function probePop3(probe: LoginProbe): Promise<LoginResult> {
  return probeLogin(probe, async ready => {
    const connection = await LineConnection.open(ready)
    const ask = async (command: string | null): Promise<string> => {
      if (command !== null) connection.send(command)
      const reply = await connection.line()
      if (!/^(\+OK|-ERR)( |$)/.test(reply)) throw new Error(`no POP3 server: ${shown(reply, probe)}`)
      return reply
    }
    const mustAsk = async (command: string | null): Promise<void> => {
      const reply = await ask(command)
      if (!reply.startsWith('+OK')) throw new Error(reply)
    }
    try {
      await mustAsk(null)
      if (probe.tls === 'starttls') {
        await mustAsk('STLS')
        await connection.startTls()
      }
      if (probe.clientAddress) await mustAsk(`XCLIENT ADDR=${probe.clientAddress}`)
      const first = await ask(`USER ${probe.user}`)
      const reply = first.startsWith('+OK') ? await ask(`PASS ${probe.password.reveal()}`) : first
      const detail = shown(reply, probe)
      if (reply.startsWith('+OK')) return { result: 'accepted', detail }
      return { result: refusal.test(reply) ? 'refused' : 'unreachable', detail }
    } finally {
      connection.leave('QUIT')
    }
  })
}
