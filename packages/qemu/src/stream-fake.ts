/**
 * For tests: something that speaks QMP like a QEMU whose VM runs, and streams what it is given.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

interface Command {
  readonly execute: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly id: number
}

/** One VM. */
export class FakeQemu {
  readonly path: string
  /** Commands that change something, in order. */
  readonly done: string[] = []
  /** That have come; a QEMU serves one at a time. */
  clients = 0
  status = 'running'
  migration = 'none'
  /** Set to what they are at the moment. */
  parameters: Record<string, unknown> = { 'max-bandwidth': 134217728, 'downtime-limit': 300 }
  readonly capabilities: Map<string, boolean> = new Map([
    ['events', false],
    ['xbzrle', true],
    ['multifd', false],
  ])
  /** Memory that was plugged in. */
  pluggedBytes = 0
  /** Bytes of the stream that its socket has taken. */
  writtenBytes = 0
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'godwit-fake-'))
  readonly #server: Server
  readonly #streams: Uint8Array[]
  #client: Socket | undefined
  #stream: Socket | undefined
  /** What a VM that is stopped does at once: goes on to the end of the stream. */
  #stopped: PromiseWithResolvers<void> = Promise.withResolvers()
  readonly #memoryBytes: number
  readonly #waits: boolean

  /**
   * @param streams - of one migration after the other
   * @param waits - the last byte comes when the VM is stopped, and not by itself
   */
  private constructor(streams: readonly Uint8Array[], memoryBytes: number, waits: boolean) {
    this.#streams = [...streams]
    this.#memoryBytes = memoryBytes
    this.#waits = waits
    this.path = join(this.#folder, 'qmp')
    this.#server = createServer((socket) => this.#greet(socket))
  }

  static async start(
    streams: readonly Uint8Array[],
    memoryBytes: number,
    waits = false,
  ): Promise<FakeQemu> {
    const fake = new FakeQemu(streams, memoryBytes, waits)
    await new Promise<void>((resolve) => fake.#server.listen(fake.path, resolve))
    return fake
  }

  end(): void {
    this.#client?.destroy()
    this.#stream?.destroy()
    this.#server.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #greet(socket: Socket): void {
    this.#client = socket
    this.clients++
    socket.on('error', () => socket.destroy())
    this.#say({ QMP: { version: { qemu: { major: 7, minor: 2, micro: 22 } } } })
    createInterface({ input: socket })
      .on('line', (line) => this.#hear(JSON.parse(line) as Command))
      .on('error', () => {})
  }

  #say(line: object): void {
    this.#client?.write(`${JSON.stringify(line)}\n`)
  }

  /** Tells that one more pass over memory begins. @param pass - how many that makes */
  pass(pass: number): void {
    this.#tell('MIGRATION_PASS', { pass })
  }

  /** Ends in order. */
  shutDown(reason: string): void {
    this.#tell('SHUTDOWN', { guest: true, reason })
    this.#client?.end()
    this.#server.close()
  }

  #tell(event: string, data: object = {}): void {
    const now = Date.now()
    const timestamp = { seconds: Math.floor(now / 1e3), microseconds: (now % 1e3) * 1e3 }
    this.#say({ event, data, timestamp })
  }

  #hear({ execute, arguments: options, id }: Command): void {
    this.#say({ id, return: this.#answer(execute, options) })
  }

  #answer(command: string, options: Command['arguments']): unknown {
    switch (command) {
      case 'query-status':
        return { status: this.status }
      case 'query-memory-size-summary':
        return { 'base-memory': this.#memoryBytes, 'plugged-memory': this.pluggedBytes }
      case 'qom-get':
        return 'pc-q35-7.2-machine'
      case 'query-cpus-fast':
        return [{ target: 'x86_64' }]
      case 'query-migrate':
        return { status: this.migration, ram: { remaining: 0, 'dirty-sync-count': 3 } }
      case 'query-migrate-parameters':
        return this.parameters
      case 'query-migrate-capabilities':
        return [...this.capabilities].map(([capability, state]) => ({ capability, state }))
      case 'migrate-set-parameters':
        Object.assign(this.parameters, options)
        return {}
      case 'migrate-set-capabilities':
        for (const { capability, state } of options['capabilities'] as {
          capability: string
          state: boolean
        }[]) {
          this.capabilities.set(capability, state)
        }
        return {}
      default:
        return this.#act(command, options)
    }
  }

  #act(command: string, options: Command['arguments']): unknown {
    if (command !== 'qmp_capabilities') this.done.push(command)
    switch (command) {
      case 'migrate':
        void this.#migrate(String(options['uri']).slice('unix:'.length))
        break
      case 'migrate_cancel':
        if (this.migration === 'active') this.migration = 'cancelled'
        this.#stream?.destroy()
        break
      case 'stop':
        if (this.status === 'running') {
          this.status = 'paused'
          this.#tell('STOP')
        }
        this.#stopped.resolve()
        break
      case 'cont':
        this.status = 'running'
        break
    }
    return {}
  }

  async #migrate(path: string): Promise<void> {
    this.migration = 'active'
    this.#stopped = Promise.withResolvers()
    const stream = this.#streams.shift() ?? new Uint8Array()
    const socket = createConnection(path)
    this.#stream = socket
    const closed = new Promise<'closed'>((resolve) => socket.once('close', () => resolve('closed')))
    socket.on('error', () => socket.destroy())
    for (let at = 0; at < stream.length - 1; at += 65536) {
      const chunk = stream.subarray(at, Math.min(at + 65536, stream.length - 1))
      const written = new Promise((resolve) => socket.write(chunk, resolve))
      if ((await Promise.race([written, closed])) === 'closed') return this.#failed()
      this.writtenBytes += chunk.length
    }
    if (this.#waits && (await Promise.race([this.#stopped.promise, closed])) === 'closed') {
      return this.#failed()
    }
    if (this.status === 'running') this.#tell('STOP')
    this.status = 'postmigrate'
    const last = new Promise((resolve) => socket.write(stream.subarray(-1), resolve))
    if ((await Promise.race([last, closed])) === 'closed') return this.#failed()
    this.migration = 'completed'
    socket.end()
  }

  /** As QEMU does: nobody reads, and the VM goes on. */
  #failed(): void {
    if (this.migration === 'active') this.migration = 'failed'
    if (this.status === 'postmigrate') this.status = 'running'
  }
}
