// quiesce on express: one call, as its README says.
import { quiesce } from "quiesce/promise"
import { start } from "./expressApp.mjs"

quiesce(start(), { signals: true })
