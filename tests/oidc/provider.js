// An OpenID provider on loopback for the tests of access tokens: `node provider.js` prints {"issuer":"http://127.0.0.1:PORT"}
// once it listens, and ends with its standard input.
//
// Clients: `val-server` by client credentials; `ue` by authorisation code with PKCE, for any user whose password is
// that of PASSWORD. Access tokens are JWTs for the resource of RESOURCE, signed with ES256.

import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const { RESOURCE, SERVICES, PASSWORD, REDIRECT_URI, CLIENT_SECRET } = process.env;
const SCOPE = 'seal:key-management';

const signingKey = (type, options, kid, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig',
});

const configuration = (issuer) => ({
  clients: [
    {
      client_id: 'val-server',
      client_secret: CLIENT_SECRET,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
    {
      client_id: 'ue',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code'],
      redirect_uris: [REDIRECT_URI],
      response_types: ['code'],
      application_type: 'native',
    },
  ],
  jwks: { keys: [signingKey('ec', { namedCurve: 'P-256' }, 'ec', 'ES256'), signingKey('rsa', { modulusLength: 2048 }, 'rsa', 'RS256')] },
  scopes: ['openid'],
  pkce: { required: () => true },
  acrValues: ['3gpp:acr:password'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: SCOPE,
        audience: RESOURCE,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  extraTokenClaims: (_, token) => ({
    val_service_ids: SERVICES.split(' '),
    ...(token.accountId && { val_user_id: token.accountId }),
  }),
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  interactions: { url: (_, interaction) => `${issuer}/interaction/${interaction.uid}` },
});

// What a page would ask the user: POST /interaction/UID with `user` and `password`, which also is the consent.
const interact = async (provider, request, response) => {
  let body = '';
  for await (const part of request) body += part;
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    const form = new URLSearchParams(body);
    const result = form.get('password') === PASSWORD
      ? { login: { accountId: form.get('user'), acr: '3gpp:acr:password' } }
      : { error: 'access_denied', error_description: 'wrong password' };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope('openid');
  grant.addResourceScope(RESOURCE, SCOPE);
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration(issuer));
  const answer = provider.callback();
  server.on('request', (request, response) => {
    if (request.method === 'POST' && request.url.startsWith('/interaction/')) {
      interact(provider, request, response).catch((error) => response.writeHead(500).end(String(error)));
    } else {
      answer(request, response);
    }
  });
  console.log(JSON.stringify({ issuer }));
});

process.stdin.resume().on('end', () => process.exit());
