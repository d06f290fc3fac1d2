/** Whether a login for submission works (RFC 6409, RFC 4954): EHLO, TLS, AUTH PLAIN, QUIT. It sends no message. */
import { type LoginProbe, type LoginResult, probeLogin, shown } from './probe.ts'
import { formatReply, openDialogue } from './smtp-dialogue.ts'

/** RFC 4954 section 6: credentials invalid. 454 is a failure of the server's, 534 and 538 are about the mechanism. */
const credentialsInvalid = 535
const loggedIn = 235

/** RFC 5321 section 4.1.3: a client without a name of its own presents its address; this one is nobody's. */
const ownName = '[127.0.0.1]'

export function probeSubmission(probe: LoginProbe & { readonly ehloName?: string }): Promise<LoginResult> {
  return probeLogin(probe, async ready => {
    const dialogue = await openDialogue(ready, probe.ehloName ?? ownName)
    try {
      const reply = await dialogue.login(probe)
      if (reply === undefined) return { result: 'unreachable', detail: 'the server offers no AUTH PLAIN' }
      const detail = shown(formatReply(reply), probe)
      if (reply.code === loggedIn) return { result: 'accepted', detail }
      return { result: reply.code === credentialsInvalid ? 'refused' : 'unreachable', detail }
    } finally {
      dialogue.leave()
    }
  })
}
