/**
 * Where a catalog is: `FILE`, `sqlite:FILE`, or `postgres://USER@HOST/DATABASE`.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'

/** A place, as it may be told, and as it must be dialled. */
export interface CatalogPlace {
  readonly kind: 'sqlite' | 'postgres'
  /** For texts: without user, password and options. */
  readonly name: string
  /** A path, or the URL with its password: for the driver alone. */
  readonly target: string
  /** What must not appear in any text. */
  readonly secrets: readonly string[]
}

const scheme = /^([a-z][a-z0-9+.-]+):/i

/**
 * Reads what `--catalog` says.
 *
 * @throws {GodwitError} `USAGE`; its text has no password
 */
export function parseCatalogUrl(text: string): CatalogPlace {
  const kind = scheme.exec(text)?.[1]?.toLowerCase()
  if (kind === 'postgres' || kind === 'postgresql') return parsePostgres(text)
  if (kind !== undefined && kind !== 'sqlite') {
    const known = 'FILE, sqlite:FILE and postgres://USER@HOST/DATABASE'
    throw new GodwitError('USAGE', `A catalog is not at ${kind}: there are ${known}`)
  }
  const file = text.replace(/^sqlite:/i, '')
  if (file === '' || file.includes('\0') || file === ':memory:') {
    throw new GodwitError('USAGE', 'A catalog in a file needs the path of that file')
  }
  return { kind: 'sqlite', name: file, target: file, secrets: [] }
}

function parsePostgres(text: string): CatalogPlace {
  const rest = text.replace(scheme, '')
  if (!rest.startsWith('//')) {
    throw new GodwitError('USAGE', 'A catalog in PostgreSQL is at postgres://USER@HOST/DATABASE')
  }
  // Whatever stands before an "@" may be a password, even one that should have been escaped.
  const name = rest.slice(Math.max(2, rest.lastIndexOf('@') + 1)).replace(/[?#].*$/s, '')
  return { kind: 'postgres', name: `postgres://${name}`, target: text, secrets: secretsOf(rest) }
}

/** Passwords, as they are written and as they are meant. */
function secretsOf(rest: string): readonly string[] {
  const user = rest.slice(2, Math.max(2, rest.lastIndexOf('@')))
  const colon = user.indexOf(':')
  const options = [...rest.matchAll(/[?&](?:password|sslpassword)=([^&#]*)/g)].map(([, one]) => one)
  const written = [colon < 0 ? '' : user.slice(colon + 1), ...options]
  return written.flatMap((one = '') => (one === '' ? [] : [one, unescaped(one)]))
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
