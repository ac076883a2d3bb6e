import type { Mail } from './transport.ts';

/** The variable parts of a message: recipient, token, and the URL of the app that accepts the token. */
interface MessageParts {
  readonly to: string;
  readonly token: string;
  readonly appUrl: string | undefined;
}

/** Composes the message with a password reset token. */
export function resetMessage({ to, token, appUrl }: MessageParts): Mail {
  return {
    to,
    subject: 'Set a new password',
    text: `Hello,

someone requested a new password for the account with this address.

${instructions('To set one', 'reset-password', '/auth/password/reset, with "newPassword"', token, appUrl)}
It can be used once, within one hour. Setting a new password ends
every session of the account.

If it was not you, do nothing: the password stays as it is.
`,
  };
}

/** Composes the message with a token that verifies the recipient's address. */
export function verifyMessage({ to, token, appUrl }: MessageParts): Mail {
  return {
    to,
    subject: 'Confirm your address',
    text: `Hello,

an account was registered with this address.

${instructions('To confirm that it is yours', 'verify-email', '/auth/email/verify', token, appUrl)}
It can be used once, within 24 hours.

If it was not you, do nothing.
`,
  };
}

/** Composes the message with an invitation to an organization. */
export function invitationMessage({
  to,
  token,
  appUrl,
  organization,
  invitedBy,
}: MessageParts & { readonly organization: string; readonly invitedBy: string }): Mail {
  return {
    to,
    subject: 'You are invited to an organization',
    text: `Hello,

${invitedBy} invites you to the organization "${organization}".

${instructions('To accept, sign in with this mail address', 'accept-invitation', '/organizations/invitations/accept', token, appUrl)}
It can be used once, within seven days.

If you do not know the sender, do nothing.
`,
  };
}

/**
 * Explains how to use the token. The link carries it in its fragment: browsers do not send fragments, so no server logs
 * the token.
 */
function instructions(aim: string, page: string, route: string, token: string, appUrl: string | undefined): string {
  return appUrl === undefined
    ? `${aim}, give this token to the app that you use
(it sends it as "token" to ${route}):

${token}
`
    : `${aim}, open this link:

${appUrl}/${page}#token=${token}
`;
}
