/** The servers that a MongoDB URI names, without user, password and options: what may be printed of it. */
export function hostsOf(uri: string): string {
  return (
    uri
      .replace(/^mongodb(\+srv)?:\/\//, '')
      .replace(/^.*@/, '')
      .split(/[/?]/)[0] ?? ''
  );
}

/** A password as short as that is no secret, and would be found in many a word. */
const SHORTEST_SECRET = 4;

/** The text with the URI and its user and password, as written and decoded, taken out. */
export function withoutSecrets(text: string, uri: string | undefined): string {
  const userinfo = uri?.match(/:\/\/(.*)@/)?.[1];
  const password = userinfo?.slice(userinfo.indexOf(':') + 1);
  return [uri, userinfo, password, decoded(password)]
    .filter((secret) => secret !== undefined && secret.length >= SHORTEST_SECRET)
    .reduce<string>((rest, secret) => rest.replaceAll(secret as string, '***'), text);
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
