import { fileURLToPath } from "node:url"

// more than one lock file is above it
const root = fileURLToPath(new URL("../", import.meta.url))

export default { outputFileTracingRoot: root, turbopack: { root } }
