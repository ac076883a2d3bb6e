/** What of an answer of Neon's is looked at. */
export interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly data?: { readonly code?: string; readonly message?: string };
}

/**
 * What a failed request to Neon means, and what to do.
 *
 * @param response undefined where none came.
 * @param code of the connection's error, such as ECONNREFUSED.
 */
export function explain(response: Response | undefined, project: string, code = 'no answer'): string {
  if (!response)
    return `Neon's API cannot be reached (${code}). Is this machine online, and is https to console.neon.tech let through?`;
  const { status, data } = response;
  const said = data?.message ? ` Neon says: ${data.message}` : '';
  if (status === 401) return 'Neon does not accept NEON_API_KEY. Make a key in its console, under Settings, API keys.';
  if (status === 403) return `NEON_API_KEY may not do this in project ${project}.${said}`;
  if (status === 404) return `NEON_API_KEY sees no such thing in project ${project}: is NEON_PROJECT_ID right?${said}`;
  if (status === 402 || /LIMIT|QUOTA/.test(data?.code ?? '')) {
    return `Project ${project} has used up what its plan allows.${said} Delete what is not needed (\`npm run db -- branch list\`), or change the plan.`;
  }
  if (status === 423) return `Project ${project} is busy with something else and stays so. Try again later.${said}`;
  if (status === 429) return `Neon takes no more requests for now. Try again in a minute.${said}`;
  return `Neon answers ${status}.${said}`;
}
