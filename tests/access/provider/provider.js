// A real OpenID provider on loopback. Settings come as JSON on standard input: port, keys, clients.
// It writes its issuer to standard output when it listens, and stops when standard input closes.
import { createServer } from "node:http";
import Provider from "oidc-provider";

process.stdin.setEncoding("utf8");
process.stdin.once("data", async (text) => {
  const { port, keys, clients } = JSON.parse(text);
  const server = createServer((request, response) => handle(request, response));
  let handle = (_request, response) => response.writeHead(503).end();
  server.listen(port, "127.0.0.1", () => {
    const issuer = `http://127.0.0.1:${server.address().port}`;
    const provider = new Provider(issuer, {
      clients,
      jwks: { keys },
      cookies: { keys: ["of these tests only"] },
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
      conformIdTokenClaims: false,
      // Anybody can sign in under any name; names that begin with "unverified" have an address that nobody has checked.
      findAccount: (_context, id) => ({
        accountId: id,
        claims: () => ({
          sub: id,
          name: `Account ${id}`,
          email: `${id.replace(/^unverified-/, "")}@example.edu`,
          email_verified: !id.startsWith("unverified-"),
        }),
      }),
    });
    handle = provider.callback();
    process.stdout.write(`${issuer}\n`);
  });
});
process.stdin.on("end", () => process.exit(0));
