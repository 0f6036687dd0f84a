import * as Stock from "@effect/platform-node/NodeSocketServer"
import { assert, it } from "@effect/vitest"
import { NodeSocketServer } from "../../../src/index.js"

// The migration is a change of the import: whatever compiles with theirs compiles with ours.
const dropIn: Omit<typeof Stock, "default"> = NodeSocketServer

it("every export of @effect/platform-node's NodeSocketServer is here, with a type that fits", () => {
  assert.includeMembers(Object.keys(dropIn), Object.keys(Stock).filter((name) => name !== "default"))
})
