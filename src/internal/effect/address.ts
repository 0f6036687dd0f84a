/**
 * Where a server listens, as Effect's own modules have it. Effect 3 has plain data, member for member that of this
 * library; Effect 4 has classes, whose values do not survive JSON. So this library keeps to plain data, and says it in
 * Effect's way where it hands an address to Effect.
 */
import type * as HttpServer from "@effect/platform/HttpServer"

/** An address of this library's. */
interface Tcp {
  readonly _tag: "TcpAddress"
  readonly hostname: string
  readonly port: number
}

interface Unix {
  readonly _tag: "UnixAddress"
  readonly path: string
}

/** As stock has it: clients connect to `0.0.0.0`, and its text is no URL of an IPv6 address. */
export const toPlatformAddress = (address: Tcp | Unix): HttpServer.Address =>
  address._tag === "TcpAddress" && address.hostname === "::" ? { ...address, hostname: "0.0.0.0" } : address
