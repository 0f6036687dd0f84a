// quiesce on Effect 4: one import changed, as its README says.
import { NodeRuntime } from "@effect/platform-node"
import { NodeHttpServer, Signals } from "quiesce"
import { serve } from "./app.mjs"

NodeRuntime.runMain(serve(NodeHttpServer), { teardown: Signals.teardown })
