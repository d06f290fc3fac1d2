/** Abuse reports as mailbox providers write them, made of parts. Invented people; example domains. */
export type SampleOptions = {
  readonly messageId?: string
  readonly received?: string
  readonly fields?: readonly string[]
  /** Of the report itself, on top. */
  readonly head?: readonly string[]
  readonly contentType?: string
  readonly feedback?: string
  readonly original?: string
}

export function sampleReport(options: SampleOptions = {}): string {
  const feedback =
    options.feedback ??
    ['Feedback-Type: abuse', 'User-Agent: Feedback/1.0', 'Version: 1', ...(options.fields ?? [])].join('\r\n')
  const original =
    options.original ??
    [
      `Received: from [10.20.0.9] (unknown [10.20.0.9])\r\n\tby mx.operator.example (Postfix) with ESMTPSA id ${options.received ?? '4bXyZ1234Bz12'}\r\n\tfor <x@else.example>; Wed, 1 Jul 2026 11:00:00 -0400`,
      'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=Hcg.sld.cu; s=mw1; h=from; bh=x; b=y',
      'From: jperez@hcg.sld.cu',
      ...(options.messageId === undefined ? [] : [`Message-ID: ${options.messageId}`]),
      'Subject: oferta',
    ].join('\r\n')
  return [
    ...(options.head ?? []),
    'From: <feedback@reporter.example>',
    'To: <abuse@hcg.sld.cu>',
    'Subject: FW: oferta',
    'MIME-Version: 1.0',
    `Content-Type: ${options.contentType ?? 'multipart/report; report-type="feedback-report";\r\n\tboundary="part1_13d.2e68ed54_boundary"'}`,
    '',
    '--part1_13d.2e68ed54_boundary',
    'Content-Type: text/plain; charset="US-ASCII"',
    '',
    'This is an email abuse report.',
    '',
    '--part1_13d.2e68ed54_boundary',
    'Content-Type: message/feedback-report',
    '',
    feedback,
    '',
    '--part1_13d.2e68ed54_boundary',
    'Content-Type: message/rfc822',
    'Content-Disposition: inline',
    '',
    original,
    '',
    'Spam Spam Spam',
    '--part1_13d.2e68ed54_boundary--',
    '',
  ].join('\r\n')
}
