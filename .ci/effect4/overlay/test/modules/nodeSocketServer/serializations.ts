import type { Layer } from "effect"
import { RpcSerialization } from "effect/rpc"

export const serializations: ReadonlyArray<readonly [string, Layer.Layer<RpcSerialization.RpcSerialization>]> = [
  ["JSON", RpcSerialization.layerJson],
  ["JSON-RPC", RpcSerialization.layerJsonRpc()],
  ["binary", RpcSerialization.layerSchemaBinary()]
]
