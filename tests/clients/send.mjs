// Sends events with Segment's client for Node, unmodified: node send.mjs HOST KEY EVENTS. Prints how many failed, as JSON.
import { Analytics } from '@segment/analytics-node'

const [host, writeKey, events] = process.argv.slice(2)
const failed = []
const client = new Analytics({ host, writeKey, maxRetries: 10, httpRequestTimeout: 30000 })
client.on('error', (error) => failed.push(String(error.code)))
for (let n = 0; n < Number(events); n++) {
  client.track({ userId: `node-${n % 500}`, event: 'visit', properties: { page: `/${n}` } })
}
await client.closeAndFlush({ timeout: 540000 })
console.log(JSON.stringify({ failed }))
