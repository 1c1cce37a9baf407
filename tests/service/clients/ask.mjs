// Posts a file to a URL twice, by Node's own `fetch`; prints each status and body.
import { readFile } from "node:fs/promises";

const [url, file] = process.argv.slice(2);
const headers = { "content-type": "application/json" };
for (const chunked of [false, true]) {
  const body = await readFile(file);
  const sent = chunked ? new Blob([body]).stream() : body;
  const response = await fetch(url, { method: "POST", headers, body: sent, duplex: "half" });
  console.log(response.status, await response.text());
}
