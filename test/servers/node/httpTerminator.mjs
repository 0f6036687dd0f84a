// http-terminator as its README says. It leaves the signal to the program.
// https://github.com/gajus/http-terminator#usage
import { createHttpTerminator } from "http-terminator"
import { listen, makeServer } from "./nodeApp.mjs"

const server = listen(makeServer())
const httpTerminator = createHttpTerminator({ server })

process.on("SIGTERM", () => void httpTerminator.terminate())
