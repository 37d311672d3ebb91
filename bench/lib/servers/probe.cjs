// @ts-nocheck
/**
 * Preloaded into the measured process: returns its heap size, the longest block of its event loop, and a CPU profile.
 */
const http = require('node:http');
const { Session } = require('node:inspector/promises');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const v8 = require('node:v8');
const vm = require('node:vm');
const { isMainThread } = require('node:worker_threads');

if (isMainThread) {
  v8.setFlagsFromString('--expose-gc');
  // Before the core freezes the built-ins.
  const collect = vm.runInNewContext('gc');
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const profile = async (seconds) => {
    const session = new Session();
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 200 });
    await session.post('Profiler.start');
    await new Promise((resolve) => setTimeout(resolve, seconds * 1e3));
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    return profile;
  };
  const server = http.createServer(async (req, res) => {
    const [, seconds] = req.url.split('/profile/');
    if (seconds) return res.end(JSON.stringify(await profile(Number(seconds))));
    const blocked = delay.max / 1e6;
    delay.reset();
    if (req.url === '/heap') for (let i = 0; i < 4; i++) collect();
    const heap = process.memoryUsage().heapUsed;
    delay.reset();
    res.end(JSON.stringify({ blocked, heap }));
  });
  server.listen(Number(process.env.BENCH_PROBE_PORT), '127.0.0.1').unref();
}
