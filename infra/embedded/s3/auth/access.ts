/** Who may do what. The root key may do everything; a limited key only what its scope lists. Strangers: nothing. */

export type Right = 'read' | 'write' | 'list' | 'delete';

export interface Scope {
  bucket: string;
  prefixes: readonly string[];
  rights: readonly Right[];
}

export interface Credential {
  accessKey: string;
  secretKey: string;
  /** Absent: unlimited. */
  scope?: Scope;
}

/** May the key use this object so? */
export function mayUse(credential: Credential, right: Right, bucket: string, key: string): boolean {
  const { scope } = credential;
  if (!scope) return true;
  return (
    scope.bucket === bucket &&
    scope.rights.includes(right) &&
    scope.prefixes.some((prefix) => key.startsWith(prefix))
  );
}

/** May the key see that the bucket exists? Clients ask before they upload. */
export function maySee(credential: Credential, bucket: string): boolean {
  return !credential.scope || credential.scope.bucket === bucket;
}
