/**
 * Socket errors in the words of this program.
 *
 * @module
 */
import { TransportError } from '@godwit/core'

/**
 * The {@link TransportError} for anything a Node socket throws or emits.
 *
 * @param address as people know it, without the transport's name
 */
export function toTransportError(thrown: unknown, address: string): TransportError {
  if (thrown instanceof TransportError) return thrown
  const details = { cause: thrown }
  const code = systemCode(thrown)
  const untrusted = authenticationError(thrown, code, address)
  if (untrusted !== undefined) return untrusted
  if (code.startsWith('EAI_') || code === 'ENOTFOUND') {
    return new TransportError('ADDRESS_UNRESOLVED', `No host is known by ${address}`, details)
  }
  switch (code) {
    case 'ECONNREFUSED':
      return new TransportError('CONNECTION_REFUSED', `Nothing listens at ${address}`, details)
    case 'ETIMEDOUT':
      return new TransportError(
        'CONNECTION_TIMEOUT',
        `The connection to ${address} timed out`,
        details,
      )
    case 'EADDRINUSE':
      return new TransportError('ADDRESS_IN_USE', `${address} is already in use`, details)
    case 'EADDRNOTAVAIL':
      return new TransportError(
        'ADDRESS_UNAVAILABLE',
        `${address} is not an address of this machine`,
        { ...details, retryable: false },
      )
    case 'EACCES':
      return new TransportError('ADDRESS_UNAVAILABLE', `The system does not permit ${address}`, {
        ...details,
        retryable: false,
      })
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return new TransportError('CONNECTION_LOST', `${address} cannot be reached`, details)
    default:
      return connectionLost(address, thrown)
  }
}

/** Whether the other side is not who it should be, or does not believe that this one is. */
export function isAuthenticationError({ code }: TransportError): boolean {
  return code === 'AUTH_FAILED' || code === 'PEER_IDENTITY'
}

/** Of OpenSSL: what is wrong with a certificate, with its chain, or with a handshake. */
const certificateCodes =
  /^(?:ERR_SSL_|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_|HOSTNAME_)/

function authenticationError(
  thrown: unknown,
  code: string,
  address: string,
): TransportError | undefined {
  if (!certificateCodes.test(code)) return undefined
  const why = thrown instanceof Error ? thrown.message.split('\n')[0] : code
  const details = { cause: thrown, retryable: false }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new TransportError('PEER_IDENTITY', `${address}: ${why}`, details)
  }
  const text = `${address} and this side do not trust each other: ${why}`
  return new TransportError('AUTH_FAILED', text, details)
}

/** The stream broke off. */
export function connectionLost(address: string, cause?: unknown): TransportError {
  return new TransportError('CONNECTION_LOST', `The connection to ${address} was lost`, { cause })
}

/** Node's error code: a name such as `ECONNRESET`, or nothing. */
function systemCode(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return ''
  return typeof thrown.code === 'string' ? thrown.code : ''
}
