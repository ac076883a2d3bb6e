/** A message in plain text. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Delivers messages, or reports that mail is unavailable. */
export interface MailTransport {
  /** Whether mail can be sent: SMTP_URL is set, or a folder for mail is. */
  readonly available: boolean;
  /**
   * Resolves when the mail server has accepted the message; rejects when it refuses it or `signal` aborts. The error
   * contains no address and no part of the message.
   */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
}

/** The transport of a server without SMTP_URL and without a folder for mail. It rejects every message. */
export const noTransport: MailTransport = {
  available: false,
  send: () => Promise.reject(new Error('mail is not configured')),
};
