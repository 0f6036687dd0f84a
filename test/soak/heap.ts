/**
 * What the heap holds, by the names of its constructors: counted in a heap snapshot, which collects all garbage first.
 */
import * as V8 from "node:v8"

export interface Heap {
  /** How many objects there are of each constructor. */
  readonly objects: ReadonlyMap<string, number>
  /** Without what the engine makes of the program: its code, and the shapes of its objects. */
  readonly bytes: number
}

const ofTheEngine = ["code", "hidden", "native", "object shape"]

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: ReadonlyArray<string>
      readonly node_types: ReadonlyArray<ReadonlyArray<string> | string>
    }
  }
  readonly nodes: ReadonlyArray<number>
  readonly strings: ReadonlyArray<string>
}

export const measureHeap = async (): Promise<Heap> => {
  const pieces: Array<Buffer> = []
  for await (const piece of V8.getHeapSnapshot()) pieces.push(piece as Buffer)
  const { nodes, snapshot, strings } = JSON.parse(Buffer.concat(pieces).toString("utf8")) as Snapshot
  const { node_fields: fields, node_types: types } = snapshot.meta
  const [typeAt, nameAt, sizeAt] = ["type", "name", "self_size"].map((name) => fields.indexOf(name)) as [
    number,
    number,
    number
  ]
  const kinds = Array.from(types[typeAt] ?? [])
  const objects = new Map<string, number>()
  let bytes = 0
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = kinds[nodes[at + typeAt]!] ?? ""
    if (!ofTheEngine.includes(kind)) bytes += nodes[at + sizeAt]!
    if (kind !== "object") continue
    const name = strings[nodes[at + nameAt]!]!
    objects.set(name, (objects.get(name) ?? 0) + 1)
  }
  return { objects, bytes }
}

export interface Growth {
  readonly name: string
  readonly before: number
  readonly after: number
}

/** The constructors that have more objects than before, those that have grown most first. */
export const growers = (before: Heap, after: Heap): ReadonlyArray<Growth> =>
  Array.from(after.objects, ([name, count]): Growth => ({ name, before: before.objects.get(name) ?? 0, after: count }))
    .filter((each) => each.after > each.before)
    .sort((a, b) => (b.after - b.before) - (a.after - a.before))
