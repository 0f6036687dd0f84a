/** All that is checked, in the order of the tables. */
import type { Checked } from "./checked.js"
import { nodeServers } from "./nodeServers.js"
import { otherServers } from "./otherServers.js"

export const servers: ReadonlyArray<Checked> = [...nodeServers, ...otherServers]
