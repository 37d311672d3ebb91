import { proxyAway } from './proxy-away-suite';
import { MODULE } from './proxy-lanes';

proxyAway(MODULE);
