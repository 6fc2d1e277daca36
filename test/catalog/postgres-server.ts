/**
 * A PostgreSQL of our own: in a temporary directory, at a Unix socket there, by a user who is not
 * root, gone at the end. Debian's package `postgresql` is enough; no service needs to run.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const versionsFolder = '/usr/lib/postgresql'
/** Escaped in a URL, so that the tests see whether it is hidden in both forms. */
export const PASSWORD = 'a/secret'

/** The folder with `initdb` and `postgres`; undefined where none is installed. */
export function findPostgres(): string | undefined {
  const versions = existsSync(versionsFolder) ? readdirSync(versionsFolder) : []
  const folders = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(versionsFolder, version, 'bin'))
  return folders.find((folder) => existsSync(join(folder, 'initdb')))
}

/** Made at once: a schema each is cheaper than a database each. */
const schemasMax = 100

/** PostgreSQL does not run as root. */
function userOf(): { uid?: number; gid?: number } {
  if (process.getuid!() !== 0) return {}
  const ask = (option: string): number => Number(execFileSync('id', [option, 'postgres']))
  return { uid: ask('-u'), gid: ask('-g') }
}

export class PostgresServer {
  readonly #directory: string
  readonly #child: ChildProcess
  #schemas = 0

  private constructor(directory: string, child: ChildProcess) {
    this.#directory = directory
    this.#child = child
  }

  /** @param folder - see {@link findPostgres} */
  static async start(folder: string): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), 'godwit-postgres-'))
    const user = userOf()
    if (user.uid !== undefined) chownSync(directory, user.uid, user.gid!)
    const [data, passwordFile] = [join(directory, 'data'), join(directory, 'password')]
    writeFileSync(passwordFile, PASSWORD)
    const initial = ['-D', data, '-U', 'godwit', '-A', 'scram-sha-256', '--pwfile', passwordFile]
    const options = { ...user, cwd: directory, stdio: 'ignore' } as const
    const quick = ['--no-sync', '--no-instructions', '-E', 'UTF8', '--locale', 'C']
    execFileSync(join(folder, 'initdb'), [...initial, ...quick], options)
    const settings = ['listen_addresses=', 'fsync=off', 'shared_buffers=8MB', 'max_connections=50']
    const child = spawn(
      join(folder, 'postgres'),
      ['-D', data, '-k', directory, ...settings.flatMap((one) => ['-c', one])],
      { ...user, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    await isReady(child)
    const server = new PostgresServer(directory, child)
    const names = Array.from({ length: schemasMax }, (_, index) => `CREATE SCHEMA test_${index};`)
    execFileSync(join(folder, 'psql'), ['-q', '-c', names.join(''), server.url()])
    return server
  }

  /** A URL under which there is nothing yet. */
  freshUrl(): string {
    if (this.#schemas === schemasMax) throw new Error('more schemas are needed')
    const option = encodeURIComponent(`-csearch_path=test_${this.#schemas++}`)
    return `${this.url()}&options=${option}`
  }

  url(password: string = PASSWORD): string {
    const secret = encodeURIComponent(password)
    return `postgres://godwit:${secret}@localhost/postgres?host=${this.#directory}`
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.kill('SIGINT')
    await closed
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

function isReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.includes('ready to accept connections')) resolve()
    })
    child.once('close', () => reject(new Error(`PostgreSQL does not start: ${text}`)))
  })
}
