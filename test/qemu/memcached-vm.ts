/**
 * A VM that serves: Debian's memcached in it, behind a network card whose port 11211 is to be had
 * at a port of this machine.
 *
 * Debian package: `memcached`, beside those of `vm.ts`.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TextClient } from '../end-to-end/memcached-client.ts'
import { type Boot, kernelRelease, linux } from './vm.ts'

const program = '/usr/bin/memcached'
/** With what the kernel has of it as modules. */
const cardDrivers = ['virtio_pci', 'virtio_net']
const connectMs = 50
const answerMs = 60_000

/** For names of tests; '' where it is there. */
export const needsMemcached: string = existsSync(program)
  ? ''
  : ' (needs apt-get install memcached)'

/** The program itself, and what it is linked with. */
function filesOf(path: string): readonly string[] {
  const told = execFileSync('ldd', [path], { encoding: 'utf8' })
  return [path, ...[...told.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)].map(([, file]) => file!)]
}

/** Modules of the kernel in the order in which they can be loaded; none of what is built in. */
function modulesFor(names: readonly string[]): readonly string[] {
  const folder = join('/lib/modules', kernelRelease())
  const lines = readFileSync(join(folder, 'modules.dep'), 'utf8').split('\n')
  const ordered = names.flatMap((name) => {
    const line = lines.find((one) => basename(one.split(':')[0]!).split('.')[0] === name)
    const [module, needed] = line?.split(':') ?? []
    return module === undefined ? [] : [...needed!.trim().split(' ').toReversed(), module]
  })
  return [...new Set(ordered.filter((path) => path !== ''))].map((path) => join(folder, path))
}

/** What the VM does before it counts. */
function setupOf(modules: readonly string[]): string {
  return [
    ...modules.map((path) => `$bin insmod /${basename(path)}`),
    '$bin ifconfig lo 127.0.0.1 up',
    '$bin ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up',
    `${program} -u root -l 0.0.0.0 -p 11211 -t 2 -m 48 &`,
    '',
  ].join('\n')
}

/** A VM in which memcached runs. */
export const memcachedVm: Boot = linux((root) => {
  const put = (path: string, at = path): void => {
    mkdirSync(join(root, dirname(at)), { recursive: true })
    copyFileSync(path, join(root, at))
  }
  for (const path of filesOf(program)) put(path)
  const modules = modulesFor(cardDrivers)
  for (const path of modules) put(path, basename(path))
  mkdirSync(join(root, 'etc'))
  writeFileSync(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/:/bin/sh\n')
  writeFileSync(join(root, 'setup'), setupOf(modules))
})

/** Arguments of QEMU: the card, and the port of this machine that leads to the service. */
export function cardAt(port: number): readonly string[] {
  const net = `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:11211`
  return ['-netdev', net, '-device', 'virtio-net-pci,netdev=net']
}

/** A client of the service, once that answers. */
export async function clientOf(port: number): Promise<TextClient> {
  const endMs = performance.now() + answerMs
  for (;;) {
    const client = new TextClient(port)
    try {
      await client.ask('version\r\n')
      return client
    } catch (thrown) {
      client.close()
      if (performance.now() > endMs) throw thrown
      await sleep(connectMs)
    }
  }
}

/** What the service tells of itself, in seconds. */
export async function clockOf(client: TextClient): Promise<{ uptime: number; time: number }> {
  const text = await client.ask('stats\r\n', 'END\r\n')
  const [uptime, time] = ['uptime', 'time'].map((name) => {
    return Number(new RegExp(`^STAT ${name} (\\d+)\\r$`, 'm').exec(text)![1])
  })
  return { uptime: uptime!, time: time! }
}
