// quiesce on Effect 3: one import changed, as its README says.
import { NodeRuntime } from "@effect/platform-node"
import { NodeHttpServer, Signals } from "quiesce"
import { serve } from "./effect3App.mjs"

NodeRuntime.runMain(serve(NodeHttpServer), { teardown: Signals.teardown })
