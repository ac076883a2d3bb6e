import type { Mail } from './transport.ts';

/** The contents of a message: recipient, token, and the URL of the app that accepts it. */
interface Occasion {
  readonly to: string;
  readonly token: string;
  readonly appUrl: string | undefined;
}

/** To somebody who may have forgotten the password. */
export function resetMessage({ to, token, appUrl }: Occasion): Mail {
  return {
    to,
    subject: 'Set a new password',
    text: `Hello,

somebody asked for a new password for the account with this address.

${howTo('To set one', 'reset-password', '/auth/password/reset, with "newPassword"', token, appUrl)}
It can be used once, within one hour. Setting a new password ends
every session of the account.

If it was not you, do nothing: the password stays as it is.
`,
  };
}

/** To somebody who has registered with this address, as far as we know. */
export function verifyMessage({ to, token, appUrl }: Occasion): Mail {
  return {
    to,
    subject: 'Confirm your address',
    text: `Hello,

an account was registered with this address.

${howTo('To confirm that it is yours', 'verify-email', '/auth/email/verify', token, appUrl)}
It can be used once, within 24 hours.

If it was not you, do nothing.
`,
  };
}

/** The token is in the link's fragment, which browsers do not send: it gets into no server's log. */
function howTo(aim: string, page: string, route: string, token: string, appUrl: string | undefined): string {
  return appUrl === undefined
    ? `${aim}, give this token to the app that you use
(it sends it as "token" to ${route}):

${token}
`
    : `${aim}, open this link:

${appUrl}/${page}#token=${token}
`;
}
