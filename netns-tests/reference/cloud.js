'use strict';
// A data service in the cloud, on port 80.
require('express')()
  .get('/health', (request, answer) => answer.send('ok'))
  .get('/data', (request, answer) => answer.send('from the cloud'))
  .listen(80);
