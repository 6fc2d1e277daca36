/**
 * Certificates for tests, made when they are needed: none is kept, so none expires.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsCredentials } from '@godwit/transport'

/** What one side has, and where it is. */
export interface Issued extends TlsCredentials {
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
}

/** An authority, and what it signs. */
export interface Certificates {
  readonly folder: string
  /** @param alternative - for whom, like `DNS:localhost` or `IP:127.0.0.1` */
  issue(name: string, alternative: string, days?: number): Issued
  remove(): void
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'ignore'] })
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** By the `openssl` command. */
export function createCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-tls-'))
  const path = (name: string): string => join(folder, name)
  const authority = ['-keyout', path('ca.key'), '-out', path('ca.pem'), '-subj', '/CN=authority']
  openssl('req', '-x509', ...newKey, ...authority, '-days', '2')
  return {
    folder,
    issue(name, alternative, days = 2) {
      const [keyFile, certFile] = [path(`${name}.key`), path(`${name}.pem`)]
      const request = ['-keyout', keyFile, '-out', path(`${name}.csr`), '-subj', `/CN=${name}`]
      openssl('req', ...newKey, ...request)
      writeFileSync(path(`${name}.ext`), `subjectAltName=${alternative}\n`)
      const signing = ['-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial']
      const out = ['-out', certFile, '-days', String(days), '-extfile', path(`${name}.ext`)]
      openssl('x509', '-req', '-in', path(`${name}.csr`), ...signing, ...out)
      const read = (file: string): string => readFileSync(file, 'utf8')
      const caFile = path('ca.pem')
      const files = { certFile, keyFile, caFile }
      return { ...files, cert: read(certFile), key: read(keyFile), ca: read(caFile) }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
