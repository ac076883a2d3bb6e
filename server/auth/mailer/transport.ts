/** A message in plain text. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Delivers one message at a time, or reports that mail is unavailable. */
export interface MailTransport {
  /** Whether mail can be sent at all: SMTP_URL is set, or this is development. */
  readonly available: boolean;
  /**
   * Resolves once the server that was asked has taken the message; rejects when it has not, or when `signal` gave it
   * up. The error names no address and nothing of the message.
   */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
}

/** The transport of a server without SMTP_URL. It rejects every message. */
export const noTransport: MailTransport = {
  available: false,
  send: () => Promise.reject(new Error('there is no way to send mail')),
};
