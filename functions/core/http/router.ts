/** Finds the route for a method and path. A literal segment wins over a parameter, whatever the order. */
import { AimaError } from '../errors.ts';
import type { Route } from './route.ts';

export interface Router {
  /**
   * The routes of a method and path: more than one where they differ in who may call. HEAD finds
   * what GET finds.
   *
   * @throws AimaError `not_found`, or `method_not_allowed` with the methods in `data.allow`.
   */
  find(method: string, path: string): Route[];
  /** Methods of a path, with HEAD and OPTIONS; empty where the path is unknown. */
  methodsOf(path: string): string[];
}

interface Pattern {
  segments: string[];
  routes: Route[];
}

/** @throws Error where two routes would take the same requests. */
export function createRouter(routes: readonly Route[]): Router {
  const patterns = new Map<string, Pattern>();
  for (const route of routes) {
    const segments = split(route.path);
    const shape = segments.map((segment) => (rank(segment) === 0 ? segment : segment[0])).join('/');
    const pattern = patterns.get(shape) ?? { segments, routes: [] };
    pattern.routes.push(route);
    patterns.set(shape, pattern);
  }
  for (const { routes } of patterns.values()) refuseClashes(routes);
  const ordered = [...patterns.values()].sort((a, b) => compare(a.segments, b.segments));

  const matching = (path: string) => {
    const segments = split(path);
    return ordered.find((pattern) => fits(pattern.segments, segments));
  };
  return {
    find(method, path) {
      const pattern = matching(path);
      if (pattern === undefined) throw new AimaError('not_found', `There is nothing at ${path}.`);
      const wanted = method === 'HEAD' ? 'GET' : method;
      const found = pattern.routes.filter((route) => route.method === wanted);
      if (found.length === 0) {
        throw new AimaError('method_not_allowed', `${method} is not possible at ${path}.`, {
          data: { allow: allowed(pattern) },
        });
      }
      return found;
    },
    methodsOf(path) {
      const pattern = matching(path);
      return pattern === undefined ? [] : allowed(pattern);
    },
  };
}

/**
 * The parameters in a path that the route matches, decoded, not yet checked.
 *
 * @throws AimaError `bad_request` where the percent-encoding is broken.
 */
export function pathParams(route: Route, path: string): Record<string, string> {
  const segments = split(path);
  const params: Record<string, string> = {};
  split(route.path).forEach((segment, i) => {
    if (rank(segment) === 1) params[segment.slice(1)] = decode(segments[i]!);
    if (rank(segment) === 2) params[segment.slice(1)] = segments.slice(i).map(decode).join('/');
  });
  return params;
}

function split(path: string): string[] {
  return path
    .split('/')
    .filter((segment, index, all) => index > 0 && (segment !== '' || index < all.length - 1));
}

/** 0 a literal, 1 one segment, 2 the rest. */
function rank(segment: string): number {
  return segment.startsWith(':') ? 1 : segment.startsWith('*') ? 2 : 0;
}

function compare(a: string[], b: string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) {
    const difference = rank(a[i]!) - rank(b[i]!);
    if (difference !== 0) return difference;
  }
  return b.length - a.length;
}

function fits(pattern: string[], path: string[]): boolean {
  const rest = pattern.length > 0 && rank(pattern.at(-1)!) === 2;
  if (rest ? path.length < pattern.length : path.length !== pattern.length) return false;
  return pattern.every((segment, i) => (rank(segment) === 0 ? segment === path[i] : path[i] !== ''));
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new AimaError('bad_request', `${segment} is not valid percent-encoding.`);
  }
}

function allowed(pattern: Pattern): string[] {
  const methods = new Set<string>(pattern.routes.map((route) => route.method));
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods, 'OPTIONS'].sort();
}

function refuseClashes(routes: Route[]): void {
  for (const [i, a] of routes.entries()) {
    for (const b of routes.slice(i + 1)) {
      const sameCallers = a.caller === b.caller || a.caller === 'anyone' || b.caller === 'anyone';
      if (a.method === b.method && sameCallers) {
        throw new Error(`${a.method} ${a.path} and ${b.method} ${b.path} take the same requests`);
      }
    }
  }
}
