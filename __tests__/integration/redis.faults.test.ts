import { redisFaultsSuite } from './redis-faults-suite';

redisFaultsSuite('redis');
