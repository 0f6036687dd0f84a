import { canListenOn } from "./nodeServer.js"

/** Why nothing of IPv6 can be tested here, and what to do. `undefined` where it can. */
export const noIpv6 = await canListenOn("::") && await canListenOn("::1") && await canListenOn("::1")
  ? undefined
  : "this machine has no IPv6: sysctl -w net.ipv6.conf.all.disable_ipv6=0"
