/** A message in plain text. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Sends mail, or says that there is no way to. */
export interface Mailer {
  /** Whether mail can be sent at all: SMTP_URL is set, or this is development. */
  readonly available: boolean;
  /**
   * Resolves once the server that was asked has taken the message; rejects when it has not, or when `signal` gave it
   * up. The error names no address and nothing of the message.
   */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
}

/** Where there is no way to send any. */
export const noMailer: Mailer = {
  available: false,
  send: () => Promise.reject(new Error('there is no way to send mail')),
};
