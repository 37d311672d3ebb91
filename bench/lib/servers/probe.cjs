// @ts-nocheck
/** Preloaded into a Worker: tells, to who asks, how much it holds and how long its event loop was blocked since last asked. */
const http = require('node:http');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const v8 = require('node:v8');
const vm = require('node:vm');
const { isMainThread } = require('node:worker_threads');

if (isMainThread) {
  v8.setFlagsFromString('--expose-gc');
  // Before the core freezes what there is.
  const collect = vm.runInNewContext('gc');
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const server = http.createServer((req, res) => {
    const blocked = delay.max / 1e6;
    delay.reset();
    if (req.url === '/heap') for (let i = 0; i < 4; i++) collect();
    const heap = process.memoryUsage().heapUsed;
    delay.reset();
    res.end(JSON.stringify({ blocked, heap }));
  });
  server.listen(Number(process.env.BENCH_PROBE_PORT), '127.0.0.1').unref();
}
