/**
 * Which addresses are on this machine alone.
 */
import * as Net from "node:net"

export const isLoopback = (host: string): boolean => {
  if (host === "localhost") return true
  if (Net.isIPv4(host)) return host.startsWith("127.")
  return Net.isIPv6(host) && /^(0*:)*0*1$/.test(host) && host !== "1"
}
