/**
 * A client of the memcached protocol that knows when a reply is whole by what it must end with.
 *
 * @module
 */
import { connect, type Socket } from 'node:net'

const clients = new Set<TextClient>()

/** One connection; requests are answered in order. */
export class TextClient {
  readonly #socket: Socket
  #text = ''
  #isOver = false
  #look: (() => void) | undefined

  constructor(port: number, host = '127.0.0.1') {
    this.#socket = connect({ port, host, noDelay: true })
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (text: string) => {
      this.#text += text
      this.#look?.()
    })
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => {
      this.#isOver = true
      this.#look?.()
    })
    clients.add(this)
  }

  say(text: string): void {
    this.#socket.write(text, 'latin1')
  }

  /** What has come and was not taken. */
  get unread(): string {
    return this.#text
  }

  /** Everything up to the first place that ends with `end`. Rejects when the connection ends. */
  reply(end: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const at = this.#text.indexOf(end)
        if (at >= 0) {
          this.#look = undefined
          const taken = this.#text.slice(0, at + end.length)
          this.#text = this.#text.slice(at + end.length)
          resolve(taken)
        } else if (this.#isOver) reject(new Error(`the connection ended after "${this.#text}"`))
      }
      this.#look = look
      look()
    })
  }

  ask(text: string, end = '\r\n'): Promise<string> {
    this.say(text)
    return this.reply(end)
  }

  set(key: string, value: string): Promise<string> {
    return this.ask(`set ${key} 0 0 ${value.length}\r\n${value}\r\n`)
  }

  /** The values of keys, in order; undefined for those that there are not. */
  async get(keys: readonly string[]): Promise<(string | undefined)[]> {
    const text = await this.ask(`get ${keys.join(' ')}\r\n`, 'END\r\n')
    const lines = text.split('\r\n')
    const values = new Map<string, string>()
    for (let i = 0; i + 1 < lines.length; i++) {
      const [word, key] = lines[i]!.split(' ')
      if (word === 'VALUE') values.set(key!, lines[++i]!)
    }
    return keys.map((key) => values.get(key))
  }

  /** Resolves when the server has ended the connection. */
  ended(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isOver) resolve()
      else this.#socket.once('close', () => resolve())
    })
  }

  close(): void {
    clients.delete(this)
    this.#socket.destroy()
  }
}

/** Ends all connections that tests left open. */
export function closeClients(): void {
  for (const client of clients) client.close()
}
