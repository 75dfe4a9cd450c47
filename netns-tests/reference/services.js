'use strict';
// The five services of one host, each an Express application on a port of its own, and their health on port 8080.
//
//   services.js NAME DIRECTORY CLOUD REDIS,REDIS,...
//
// Each answer needs data from the Redis cluster and from this host's own MySQL; `course` also needs the cloud data service.
// What the file DIRECTORY/failure says goes wrong inside: `500` or `hang`.
const express = require('express');
const fs = require('fs');
const http = require('http');
const path = require('path');
const Redis = require('ioredis');
const mysql = require('mysql2/promise');

const [name, directory, cloud, nodes] = process.argv.slice(2);
const SERVICES = { user: 3001, trial: 3002, public: 3003, course: 3004, admin: 3005 };
const PATIENCE = 300;

const redis = new Redis.Cluster(
  nodes.split(',').map((host) => ({ host, port: 6379 })),
  {
    clusterRetryStrategy: () => 200,
    slotsRefreshTimeout: PATIENCE,
    slotsRefreshInterval: 1000,
    retryDelayOnFailover: 50,
    redisOptions: { connectTimeout: PATIENCE, commandTimeout: PATIENCE, maxRetriesPerRequest: 1 },
  }
);
redis.on('error', (error) => console.error(`redis: ${error.message}`));

const database = mysql.createPool({
  host: '127.0.0.1', port: 3306, user: 'app', password: 'app', database: 'app', connectTimeout: PATIENCE, connectionLimit: 5,
});

const within = (promise, what) => Promise.race([
  promise,
  new Promise((_, refuse) => setTimeout(() => refuse(new Error(`${what}: no answer in ${PATIENCE} ms`)), PATIENCE)),
]);

const fetchCloud = () => new Promise((settle, refuse) => {
  const request = http.get(`${cloud}/data`, { timeout: PATIENCE }, (answer) => {
    let text = '';
    answer.on('data', (part) => { text += part; }).on('end', () => settle(text));
  });
  request.on('timeout', () => request.destroy(new Error('no answer'))).on('error', refuse);
});

const failure = () => {
  try {
    return fs.readFileSync(path.join(directory, 'failure'), 'utf8').trim();
  } catch {
    return '';
  }
};

/// An application that fails inside is up, listens, and answers with 500 or not at all.
const mayFail = (request, answer, next) => {
  const how = failure();
  if (how === 'hang') return;
  if (how === '500') answer.status(500).send('failed inside');
  else next();
};

for (const [service, port] of Object.entries(SERVICES)) {
  const application = express();
  application.use(mayFail);
  application.get('*', async (request, answer) => {
    try {
      const visits = await within(redis.incr(`visits:${service}`), 'redis');
      const [rows] = await within(database.query('SELECT title FROM titles WHERE service = ?', [service]), 'mysql');
      const data = service === 'course' ? await within(fetchCloud(), 'cloud') : undefined;
      answer.json({ service, host: name, visits, title: rows[0].title, cloud: data });
    } catch (error) {
      answer.status(503).json({ service, host: name, error: error.message });
    }
  });
  application.listen(port);
}

const health = express();
health.use(mayFail);
health.get('/health', (request, answer) => answer.send('ok'));
health.listen(8080);
