/** The servers that a MongoDB URI names, without user, password and options: what may be printed of it. */
export function hostsOf(uri: string): string {
  return (
    uri
      .replace(/^mongodb(\+srv)?:\/\//, '')
      .replace(/^.*@/, '')
      .split(/[/?]/)[0] ?? ''
  );
}

/** The text with the URI and its user and password, as written and decoded, taken out. */
export function withoutSecrets(text: string, uri: string | undefined): string {
  const userinfo = uri?.match(/:\/\/(.*)@/)?.[1];
  const password = userinfo?.slice(userinfo.indexOf(':') + 1);
  const secrets = [uri, userinfo, password, decoded(password)];
  return secrets.reduce<string>((rest, secret) => (secret ? rest.replaceAll(secret, '***') : rest), text);
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
