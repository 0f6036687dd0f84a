import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"

interface Tcp {
  readonly _tag: "TcpAddress"
  readonly hostname: string
  readonly port: number
}

interface Unix {
  readonly _tag: "UnixAddress"
  readonly path: string
}

export const toPlatformAddress = (address: Tcp | Unix): NetAddress.SocketAddress =>
  address._tag === "UnixAddress"
    ? NetAddress.unixPathAddress(address.path)
    : Result.getOrElse(
      NetAddress.inetAddressFromIpString(address.hostname, address.port),
      () => NetAddress.unixPathAddress(`${address.hostname}:${address.port}`)
    )
