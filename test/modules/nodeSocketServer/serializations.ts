/** What RPC over WebSockets may be written in. */
import { RpcSerialization } from "@effect/rpc"
import type { Layer } from "effect"

export const serializations: ReadonlyArray<readonly [string, Layer.Layer<RpcSerialization.RpcSerialization>]> = [
  ["JSON", RpcSerialization.layerJson],
  ["JSON-RPC", RpcSerialization.layerJsonRpc()],
  ["MessagePack", RpcSerialization.layerMsgPack]
]
