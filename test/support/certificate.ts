/** A certificate that signs itself, made when it is first needed: clients that are given it as their CA accept it. */
import { generate } from "selfsigned"
import { ownLoopback } from "./loopback.js"

export interface Certificate {
  readonly key: string
  readonly cert: string
}

export const makeCertificate = async (): Promise<Certificate> => {
  const made = await generate([{ name: "commonName", value: "localhost" }], {
    algorithm: "sha256",
    keyType: "ec",
    extensions: [
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          ...["127.0.0.1", "::1", ownLoopback].map((ip) => ({ type: 7 as const, ip }))
        ]
      }
    ]
  })
  return { key: made.private, cert: made.cert }
}

/** The one that all servers and clients of a process share. */
export const certificate: Certificate = await makeCertificate()
