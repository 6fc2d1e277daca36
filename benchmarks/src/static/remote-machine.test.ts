import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MIB } from '@godwit/core'
import { expect, it } from 'vitest'
import { RemoteMachine } from './remote-machine.ts'

it('a guest that comes back finds most of itself there', { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-test-'))
  const start = (name: string): Promise<RemoteMachine> =>
    RemoteMachine.start({ prefix: [] }, { host: '127.0.0.1', images: join(folder, name) })
  const [home, away] = await Promise.all([start('home'), start('away')])
  try {
    await home.tell('start', 'writer,wss=1MiB,rate=2000,content=0/100/0/0', 8 * MIB)
    expect(await home.tell('send', away.address, {})).toMatchObject({ outcome: 'completed' })
    await away.tell('arrived')
    const image = await home.tell('keep')
    await home.tell('drop')
    await away.tell('work', 256)
    const back = await away.tell('send', home.address, { images: [image] })
    expect(back).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    const { pages } = back.static!
    expect(pages).toBeGreaterThan((6 * MIB) / 4096)
    expect(pages).toBeLessThanOrEqual((7 * MIB) / 4096)
    await expect(away.tell('send', 'nowhere', {})).rejects.toThrow(/nowhere/)
  } finally {
    await home.end()
    await away.end()
    rmSync(folder, { recursive: true })
  }
})
