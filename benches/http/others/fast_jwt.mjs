// Says hello, to good tokens alone if told how to verify: `node fast_jwt.mjs FOLDER none|verify|cache`.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'

const [folder, mode] = process.argv.slice(2)
const read = (name) => readFileSync(`${folder}/${name}`, 'utf8').trim()
// From where it was installed.
const { createVerifier } = createRequire(`${process.cwd()}/`)('fast-jwt')

const verify = createVerifier({
  key: read('key.pem'),
  algorithms: ['RS256'],
  allowedIss: read('issuer'),
  allowedAud: read('audience'),
  requiredClaims: ['exp'],
  cache: mode === 'cache' ? 10_000 : false
})

const hello = (response) => {
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'content-length': 5 })
  response.end('hello')
}

const server = createServer((request, response) => {
  if (mode === 'none') return hello(response)
  const field = request.headers.authorization
  try {
    if (!field?.startsWith('Bearer ')) throw new Error('no token')
    verify(field.slice(7))
  } catch {
    response.writeHead(401, { 'www-authenticate': 'Bearer' })
    return response.end()
  }
  hello(response)
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
