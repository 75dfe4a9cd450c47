'use strict';
// Express Gateway on port 8088: each of the five paths goes to that service on one of the hosts of the pair, in turn.
//
//   gateway.js DIRECTORY HOST,HOST
const fs = require('fs');
const path = require('path');
const gateway = require('express-gateway');

const [directory, hosts] = process.argv.slice(2);
const SERVICES = { user: 3001, trial: 3002, public: 3003, course: 3004, admin: 3005 };
const names = Object.keys(SERVICES);
const each = (describe) => Object.fromEntries(names.map((name) => [name, describe(name)]));

const config = path.join(directory, 'gateway');
const shipped = path.join(path.dirname(require.resolve('express-gateway')), 'config');
fs.cpSync(path.join(shipped, 'models'), path.join(config, 'models'), { recursive: true });
const write = (name, contents) => fs.writeFileSync(path.join(config, name), JSON.stringify(contents));
write('system.config.yml', {
  db: { redis: { emulate: true, namespace: 'EG' } },
  crypto: { cipherKey: 'sensitiveKey', algorithm: 'aes256', saltRounds: 10 },
  session: { secret: 'secret', resave: false, saveUninitialized: false },
  accessTokens: { timeToExpiry: 7200000 },
  refreshTokens: { timeToExpiry: 7200000 },
  authorizationCodes: { timeToExpiry: 300000 },
});
write('gateway.config.yml', {
  http: { port: 8088, hostname: '0.0.0.0' },
  apiEndpoints: each((name) => ({ host: '*', paths: `/${name}*` })),
  serviceEndpoints: each((name) => ({ urls: hosts.split(',').map((host) => `http://${host}:${SERVICES[name]}`) })),
  policies: ['proxy'],
  pipelines: each((name) => ({
    apiEndpoints: [name],
    policies: [{ proxy: [{ action: { serviceEndpoint: name, strategy: 'round-robin', proxyTimeout: 500, timeout: 500 } }] }],
  })),
});
gateway().load(config).run();
