import { describe, expect, it } from 'vitest'
import { hasFile, listFiles, listPackages, readText, workspaceNames } from './repository.ts'

const packages = listPackages(listFiles()).filter(({ folder }) => folder.startsWith('packages/'))

/** Dependencies that have no line "- `name`: reason" in a README. */
function unexplained(names: readonly string[], readme: string): readonly string[] {
  const lines = readme.split('\n')
  return names.filter((name) => {
    const line = lines.find((one) => one.startsWith(`- \`${name}\`: `))
    return line === undefined || line.length < name.length + 20
  })
}

describe.each(packages.map((one) => [one.folder, one] as const))('%s/README.md', (folder, one) => {
  const path = `${folder}/README.md`
  const readme = hasFile(path) ? readText(path) : ''

  it('is there, with the name of the package', () => {
    expect(readme.split('\n')[0]).toBe(`# ${one.manifest.name}`)
  })

  it('gives a reason for every dependency from the registry', () => {
    const workspace = workspaceNames(one.dependencies)
    const names = Object.keys(one.dependencies).filter((name) => !workspace.includes(name))
    expect(unexplained(names, readme)).toEqual([])
  })
})

it('a dependency without a reason would be noticed', () => {
  const readme = '# a\n\n- `ws`: WebSocket framing on the Node side.\n- `left-pad`: \n'
  expect(unexplained(['ws', 'left-pad', 'valibot'], readme)).toEqual(['left-pad', 'valibot'])
})
