/**
 * What programs that fetch models (npm, pip) are given of the environment: all but what is ours. Among
 * that are the logins of the lease, which are nobody else's business.
 */
export function outsideEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('AIMA_')));
}
